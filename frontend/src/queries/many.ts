// Several runs at once: deeds, the table, two beside each other, saved filters.

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { keys } from ".";

export function useBulk(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { deed: "cancel" | "delete" | "label"; runs: string[]; labels?: Record<string, string>; drop?: string[] }) =>
      bodyOf(
        api.POST("/api/v1/projects/{ref}/runs/bulk", {
          params: { path: { ref: project } },
          body: body as Schemas["BulkAskRequest"],
          headers: { "Idempotency-Key": idempotencyKey() },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.runs(project) }),
  });
}

/** `query`: the parameters of the list of runs, or `run` with ids. */
export function useRunTable(project: string, query: Record<string, string | string[]>) {
  return useQuery({
    queryKey: [...keys.runs(project), "table", query],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/runs/table", { params: { path: { ref: project }, query: query as never } })),
    placeholderData: keepPreviousData,
  });
}

export function useComparison(project: string, a: string, b: string) {
  return useQuery({
    queryKey: [...keys.runs(project), "compare", a, b],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/runs/compare", { params: { path: { ref: project }, query: { a, b } } })),
    enabled: a !== "" && b !== "",
  });
}

const filters = (project: string) => ["filters", project] as const;

/** Asked for when somebody opens them. */
export function useFilters(project: string, enabled: boolean) {
  return useQuery({
    enabled,
    queryKey: filters(project),
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/filters", { params: { path: { ref: project }, query: { page: "runs", page_size: 100 } } })),
    staleTime: 60_000,
  });
}

export function useFilterSave(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { name: string; query: Record<string, string[]>; shared: boolean }) =>
      bodyOf(api.POST("/api/v1/projects/{ref}/filters", { params: { path: { ref: project } }, body: { page: "runs", ...body } })),
    onSuccess: () => client.invalidateQueries({ queryKey: filters(project) }),
  });
}

export function useFilterDrop(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: number) => bodyOf(api.DELETE("/api/v1/projects/{ref}/filters/{id}", { params: { path: { ref: project, id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: filters(project) }),
  });
}
