// Share links: short addresses of views, for members of a project.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey } from "@/api/client";
import { settingsKey } from "./settings";

export function useLinkMake(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { address: string; days: number; note: string }) =>
      bodyOf(api.POST("/api/v1/projects/{ref}/links", { params: { path: { ref: project } }, body, headers: { "Idempotency-Key": idempotencyKey() } })),
    onSuccess: () => client.invalidateQueries({ queryKey: settingsKey(project) }),
  });
}

export function useLinkRevoke(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => bodyOf(api.DELETE("/api/v1/projects/{ref}/links/{id}", { params: { path: { ref: project, id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: settingsKey(project) }),
  });
}

/** Where a link leads; asked once. */
export function useLink(code: string) {
  return useQuery({ queryKey: ["link", code], queryFn: () => bodyOf(api.GET("/api/v1/links/{code}", { params: { path: { code } } })), staleTime: Infinity });
}
