// How much of a project may be used at once, stored, and spent in a month.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, type Schemas } from "@/api/client";

export function useQuotas(project: string) {
  return useQuery({
    queryKey: ["quotas", project],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/quotas", { params: { path: { ref: project } } })),
    refetchInterval: 30_000,
  });
}

export function useSetQuota(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["PatchedQuotaBodyRequest"]) => bodyOf(api.PATCH("/api/v1/projects/{ref}/quotas", { params: { path: { ref: project } }, body })),
    onSuccess: (rows) => client.setQueryData(["quotas", project], rows),
  });
}
