// The data pages' questions and deeds.

import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import { discard } from "@/features/upload/wire";

export const dataKey = (project: string) => ["project-data", project] as const;

/** The page; its list has the datasets that `search` finds. */
export function useProjectData(project: string, search: string) {
  return useQuery({
    queryKey: [...dataKey(project), search],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/data", { params: { path: { ref: project }, query: search ? { search } : {} } })),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000, // what moves has no events of its own
  });
}

export const datasetsFound = (project: string, search: string) => (cursor: string) => bodyOf(api.GET("/api/v1/datasets", { params: { query: { project, cursor, ...(search ? { search } : {}) } } }));

export function useDatasetPage(id: string, version: number | undefined) {
  return useQuery({
    queryKey: ["dataset", id, "page", version ?? "newest"],
    queryFn: () => bodyOf(api.GET("/api/v1/datasets/{id}/overview", { params: { path: { id }, query: version ? { version } : {} } })),
    placeholderData: (before) => (before?.dataset.id === id ? before : undefined),
  });
}

export function useVersionFiles(id: string, number: number, search: string) {
  return useInfiniteQuery({
    queryKey: ["dataset", id, "files", number, search],
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET("/api/v1/datasets/{id}/versions/{number}/files", {
          params: { path: { id, number }, query: { limit: 100, ...(search ? { search } : {}), ...(pageParam ? { after: pageParam } : {}) } },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_after ?? undefined,
    placeholderData: keepPreviousData,
    staleTime: Infinity, // a version never changes
  });
}

export function usePin(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ number, pinned }: { number: number; pinned: boolean }) =>
      bodyOf(api.PATCH("/api/v1/datasets/{id}/versions/{number}", { params: { path: { id, number } }, body: { pinned } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["dataset", id, "page"] }),
  });
}

export function useDatasetDelete() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.DELETE("/api/v1/datasets/{id}", { params: { path: { id } } }),
    onSuccess: () => client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "project-data" || queryKey[0] === "launch" }),
  });
}

export function useUploadDiscard(project: string) {
  const client = useQueryClient();
  return useMutation({ mutationFn: discard, onSettled: () => client.invalidateQueries({ queryKey: dataKey(project) }) });
}
