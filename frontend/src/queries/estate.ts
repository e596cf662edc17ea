// All sites, for administrators, and what is done to them.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { cursorOf } from ".";

export type EstateSite = Schemas["EstateSiteOut"];
export type EstateAgent = Schemas["EstateAgentOut"];
export type EstatePool = Schemas["EstatePoolOut"];

/** A whole site or one of its pools, which take steps or do not. */
export type Place = { site: string } | { pool: string };

const estate = ["estate"] as const;
const ANY = { "If-Match": "*" };
const once = () => ({ "Idempotency-Key": idempotencyKey() });

export function useEstate(search: string) {
  return useInfiniteQuery({
    queryKey: [...estate, search],
    queryFn: ({ pageParam }) =>
      bodyOf(api.GET("/api/v1/admin/sites", { params: { query: { page_size: 25, ...(search ? { search } : {}), ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => cursorOf(page.next),
    refetchInterval: 10_000,
  });
}

function useDeed<A, R>(deed: (asked: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: deed, onSuccess: () => client.invalidateQueries({ queryKey: estate }) });
}

export function useSiteMake() {
  return useDeed((body: Schemas["SiteCreateRequest"]) => bodyOf(api.POST("/api/v1/sites", { headers: once(), body })));
}

/** `version`: of the site that was read, so that nobody else's change is undone. */
export function useSiteChange() {
  return useDeed(({ id, version, ...body }: { id: string; version: number } & Schemas["PatchedSiteChangeRequest"]) =>
    bodyOf(api.PATCH("/api/v1/sites/{ref}", { params: { path: { ref: id } }, headers: { "If-Match": `"${id}.${version}"` }, body })),
  );
}

export function useSiteRemove() {
  return useDeed((ref: string) => bodyOf(api.DELETE("/api/v1/admin/sites/{ref}", { params: { path: { ref } } })));
}

export function useClose() {
  return useDeed(async ({ place, reason, graceS }: { place: Place; reason: string; graceS: number | null }) => {
    const body = { reason, ...(graceS === null ? {} : { grace_s: graceS }) };
    if ("site" in place) await api.POST("/api/v1/sites/{ref}/cordon", { params: { path: { ref: place.site } }, headers: once(), body });
    else await api.POST("/api/v1/pools/{id}/cordon", { params: { path: { id: place.pool } }, headers: once(), body });
  });
}

export function useOpen() {
  return useDeed(async (place: Place) => {
    if ("site" in place) await api.DELETE("/api/v1/sites/{ref}/cordon", { params: { path: { ref: place.site } } });
    else await api.DELETE("/api/v1/pools/{id}/cordon", { params: { path: { id: place.pool } } });
  });
}

export function usePoolMake() {
  return useDeed(({ ref, ...body }: { ref: string } & Schemas["PoolCreateRequest"]) => bodyOf(api.POST("/api/v1/sites/{ref}/pools", { params: { path: { ref } }, headers: once(), body })));
}

export function usePoolChange() {
  return useDeed(({ id, ...body }: { id: string } & Schemas["PatchedPoolChangeRequest"]) => bodyOf(api.PATCH("/api/v1/pools/{id}", { params: { path: { id } }, headers: ANY, body })));
}

export function useAgentDrain() {
  return useDeed(({ id, draining }: { id: string; draining: boolean }) => bodyOf(api.PATCH("/api/v1/agents/{id}", { params: { path: { id } }, headers: ANY, body: { draining } })));
}

export function useAgentRevoke() {
  return useDeed((id: string) => bodyOf(api.DELETE("/api/v1/agents/{id}", { params: { path: { id } } })));
}
