// The run page: one answer for the page, one for each tab and for a step's panel.

import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, type Schemas } from "@/api/client";
import { keys } from ".";
import { startKey } from "./explain";
import type { ListPage } from "./rest";

export type Step = Schemas["StepOut"];

/** The run with its tree. */
export function useRunPage(id: string) {
  return useQuery({
    queryKey: keys.part(id, "page"),
    queryFn: () => bodyOf(api.GET("/api/v1/runs/{id}/overview", { params: { path: { id } } })),
    structuralSharing: false, // thousands of rows: comparing them costs more than drawing them
  });
}

export const resultsKey = (run: string) => keys.part(run, "results");

export function useRunResults(id: string) {
  return useQuery({ queryKey: resultsKey(id), queryFn: () => bodyOf(api.GET("/api/v1/runs/{id}/results", { params: { path: { id } } })) });
}

/** The artifacts behind a first page of them; of one node, where it is named. */
export function artifactsAfter(run: string, node?: string) {
  return (cursor: string): Promise<ListPage<Schemas["ArtifactOut"]>> =>
    bodyOf(api.GET("/api/v1/runs/{id}/artifacts", { params: { path: { id: run }, query: { page_size: 50, cursor, ...(node ? { node } : {}) } } }));
}

/** An artifact's files, page by page; those that `search` finds. */
export function useArtifactFiles(key: string, search: string) {
  const [run = "", node = "", generation = "", ...rest] = key.split("/");
  return useInfiniteQuery({
    queryKey: ["files", key, search],
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET("/api/v1/artifacts/{run}/{node}/{generation}/{name}/files", {
          params: { path: { run, node, generation: Number(generation), name: rest.join("/") }, query: { limit: 100, ...(search ? { search } : {}), ...(pageParam ? { after: pageParam } : {}) } },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_after ?? undefined,
    placeholderData: keepPreviousData,
    staleTime: Infinity, // what a step left never changes
  });
}

export const stepKey = (run: string, node: string) => keys.part(run, "step", node);

/**
 * A step's panel. When it starts, or why it failed, comes with the first answer only: it simulates the queue, and a live
 * run's events come twice a second; `useTaskStart` goes on from there at its own pace.
 */
export function useStep(run: string, node: string) {
  const client = useQueryClient();
  return useQuery({
    queryKey: stepKey(run, node),
    queryFn: async () => {
      const start = client.getQueryData(stepKey(run, node)) === undefined;
      const found = await bodyOf(api.GET("/api/v1/runs/{id}/nodes/{node}/overview", { params: { path: { id: run, node }, query: { start } } }));
      if (found.start) client.setQueryData(startKey(found.start.task_id), found.start);
      return found;
    },
  });
}
