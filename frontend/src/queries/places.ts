// The places of a project, and what people who run a site do there: cordon, drain, let an agent join.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { keys } from "@/queries";

export type Places = Schemas["PlacesOut"];
export type PlacePool = Schemas["PlacePoolOut"];
export type PlaceNode = Schemas["PlaceNodeOut"];
export type PlaceSite = Schemas["PlaceSiteOut"];

/** What to cordon: a pool, or one node of a group at a site. */
export type Target = { pool: string } | { site: string; group: string; node: number };

export function usePlaces(project: string) {
  return useQuery({
    queryKey: ["places", project],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/places", { params: { path: { ref: project } } })),
    refetchInterval: 5_000,
  });
}

export function useRunPlacement(run: string) {
  return useQuery({
    queryKey: keys.part(run, "placement"),
    queryFn: () => bodyOf(api.GET("/api/v1/runs/{id}/placement", { params: { path: { id: run } } })),
    staleTime: 5_000,
  });
}

export function useCordon(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ target, reason, graceS }: { target: Target; reason: string; graceS: number | null }) => {
      const headers = { "Idempotency-Key": idempotencyKey() };
      const body = { reason, ...(graceS === null ? {} : { grace_s: graceS }) };
      if ("pool" in target) await api.POST("/api/v1/pools/{id}/cordon", { params: { path: { id: target.pool } }, headers, body });
      else
        await api.POST("/api/v1/sites/{ref}/node-groups/{name}/cordon", {
          params: { path: { ref: target.site, name: target.group } },
          headers,
          body: { ...body, nodes: [target.node] },
        });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["places", project] }),
  });
}

export function useUncordon(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (target: Target) => {
      if ("pool" in target) await api.DELETE("/api/v1/pools/{id}/cordon", { params: { path: { id: target.pool } } });
      else
        await api.POST("/api/v1/sites/{ref}/node-groups/{name}/uncordon", {
          params: { path: { ref: target.site, name: target.group } },
          headers: { "Idempotency-Key": idempotencyKey() },
          body: { nodes: [target.node] },
        });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["places", project] }),
  });
}

export function useJoinToken() {
  return useMutation({
    mutationFn: (site: string) =>
      bodyOf(api.POST("/api/v1/sites/{ref}/join-tokens", { params: { path: { ref: site } }, headers: { "Idempotency-Key": idempotencyKey() }, body: {} })),
  });
}
