// One hook a question or deed. Keys are [what, project or run, ...]; live events only say which keys are old.

import { type QueryClient, keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import type { LiveEvent } from "@/api/live";
import type { RunState } from "@/lib/states";

export interface RunFilter {
  state?: RunState[];
  search?: string;
  label?: string[];
  submittedBy?: string;
  ordering?: string;
}

export const keys = {
  me: ["me"] as const,
  projects: ["projects"] as const,
  overview: (project: string) => ["overview", project] as const,
  runs: (project: string) => ["runs", project] as const,
  run: (run: string) => ["run", run] as const,
  part: (run: string, part: string, ...more: string[]) => ["run", run, part, ...more] as const,
};

/** What an event makes old. Called at most twice a second with all that came meanwhile. */
export function invalidate(client: QueryClient, project: string, events: LiveEvent[]): void {
  const runs = new Set(events.map((e) => e.run_id).filter((id): id is string => Boolean(id)));
  void client.invalidateQueries({ queryKey: keys.overview(project) });
  if (events.some((e) => e.topic === "notice")) void client.invalidateQueries({ queryKey: ["notices"] });
  if (events.some((e) => e.topic === "run" || e.topic === "ledger")) void client.invalidateQueries({ queryKey: ["settings", project] });
  if (events.some((e) => e.topic === "run")) void client.invalidateQueries({ queryKey: keys.runs(project) });
  if (events.some((e) => e.topic === "dataset" || e.topic === "pipeline")) void client.invalidateQueries({ queryKey: ["launch", project] });
  if (events.some((e) => e.topic === "pipeline")) void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "pipeline" || queryKey[0] === "pipelines" });
  if (events.some((e) => e.topic === "dataset")) void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "dataset" || queryKey[0] === "project-data" });
  for (const run of runs) void client.invalidateQueries({ queryKey: keys.run(run) });
}

export function useMe() {
  return useQuery({
    queryKey: keys.me,
    queryFn: () => bodyOf(api.GET("/api/v1/me")),
    retry: false,
    staleTime: 60_000,
  });
}

export function useProjects(enabled: boolean) {
  return useQuery({
    queryKey: keys.projects,
    queryFn: () => bodyOf(api.GET("/api/v1/projects", { params: { query: { page_size: 100 } } })),
    enabled,
    staleTime: 60_000,
  });
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: { username: string; password: string; code?: string }) => {
      await api.GET("/api/v1/login"); // sets the CSRF cookie
      return bodyOf(api.POST("/api/v1/login", { body: body as Schemas["LoginBodyRequest"] }));
    },
    onSuccess: () => client.invalidateQueries(), // not reset: a page under an ended session keeps its unsent edit
  });
}

/** Sets the CSRF cookie, and says whether an identity provider is set up. */
export function useSignInWays() {
  return useQuery({ queryKey: ["sign-in"], queryFn: () => bodyOf(api.GET("/api/v1/login")), staleTime: 60_000 });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({ mutationFn: () => api.POST("/api/v1/logout"), onSuccess: () => client.resetQueries() });
}

export function useOverview(project: string) {
  return useQuery({
    queryKey: keys.overview(project),
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/overview", { params: { path: { ref: project } } })),
  });
}

export function useRuns(project: string, filter: RunFilter, enabled = true) {
  return useInfiniteQuery({
    enabled,
    queryKey: [...keys.runs(project), filter],
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET("/api/v1/runs", {
          params: {
            query: {
              project,
              page_size: 25,
              ...(filter.state?.length ? { state: filter.state.join(",") as never } : {}),
              ...(filter.search ? { search: filter.search } : {}),
              ...(filter.label?.length ? { label: filter.label } : {}),
              ...(filter.submittedBy ? { submitted_by: filter.submittedBy } : {}),
              ...(filter.ordering ? { ordering: filter.ordering as never } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => cursorOf(page.next),
    placeholderData: keepPreviousData,
  });
}

/** The cursor inside a page's `next` address; undefined on the last page. */
export function cursorOf(next: string | null | undefined): string | undefined {
  if (!next) return undefined;
  return new URL(next, "http://page").searchParams.get("cursor") ?? undefined;
}

export function useRunWhy(id: string, enabled = true) {
  return useQuery({
    queryKey: keys.part(id, "why"),
    queryFn: () => bodyOf(api.GET("/api/v1/runs/{id}/why", { params: { path: { id } } })),
    enabled,
  });
}

export function useRunCosts(id: string) {
  return useQuery({ queryKey: keys.part(id, "costs"), queryFn: () => bodyOf(api.GET("/api/v1/runs/{id}/costs", { params: { path: { id } } })) });
}

export function useRunManifest(id: string) {
  return useQuery({
    queryKey: keys.part(id, "manifest"),
    queryFn: () => bodyOf(api.GET("/api/v1/runs/{id}/manifest", { params: { path: { id } } })),
    staleTime: Infinity,
    enabled: id !== "",
  });
}

export function useRunEvents(id: string) {
  return useInfiniteQuery({
    queryKey: keys.part(id, "events"),
    queryFn: ({ pageParam }) =>
      bodyOf(api.GET("/api/v1/runs/{id}/events", { params: { path: { id }, query: { page_size: 100, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => cursorOf(page.next),
  });
}

type Deed = "cancel" | "stop" | "terminate" | "suspend" | "resume" | "retry" | "resubmit";

export function useRunDeed(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (deed: Deed): Promise<Schemas["RunDetail"]> => {
      const key = { "Idempotency-Key": idempotencyKey() };
      return bodyOf(api.POST(`/api/v1/runs/{id}/${deed}` as "/api/v1/runs/{id}/cancel", { params: { path: { id } }, body: {} as never, headers: key }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.run(id) }),
  });
}

export function useSubmit() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ body, key }: { body: Schemas["RunSubmitRequest"]; key: string }) =>
      bodyOf(api.POST("/api/v1/runs", { body, headers: { "Idempotency-Key": key } })),
    onSuccess: (run) => client.invalidateQueries({ queryKey: keys.runs(run.project) }),
  });
}
