// How much of a project may be used at once, stored, and spent in a month; and whose limits the reader may set.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, type Schemas } from "@/api/client";

export const quotasKey = (project: string) => ["quotas", project] as const;

export function useQuotas(project: string) {
  return useQuery({
    queryKey: quotasKey(project),
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/quotas/overview", { params: { path: { ref: project } } })),
    refetchInterval: 30_000,
  });
}

export const settableAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/projects/{ref}/members", { params: { path: { ref: project }, query: { page_size: 100, cursor } } }));

export function useSetQuota(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["PatchedQuotaBodyRequest"]) => bodyOf(api.PATCH("/api/v1/projects/{ref}/quotas", { params: { path: { ref: project } }, body })),
    onSuccess: (quotas) => client.setQueryData<Schemas["QuotasPageOut"]>(quotasKey(project), (old) => old && { ...old, quotas }),
  });
}
