// Secrets of a project. A value goes in by one call and is in no query, no key and no answer.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

export const vaultKey = (project: string) => ["vault", project] as const;

export function useVault(project: string) {
  return useQuery({ queryKey: vaultKey(project), queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/vault", { params: { path: { ref: project } } })) });
}

export const secretsAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/projects/{ref}/secrets", { params: { path: { ref: project }, query: { cursor } } }));

function useDeed<A, R>(project: string, deed: (asked: A) => Promise<R>) {
  const client = useQueryClient();
  // Nothing of the call is kept once nobody looks at it: what it was made with is the value.
  return useMutation({ mutationFn: deed, gcTime: 0, onSuccess: () => client.invalidateQueries({ queryKey: vaultKey(project) }) });
}

export function useSecretSet(project: string) {
  return useDeed(project, ({ name, key, value }: { name: string; key: string; value: string }) =>
    bodyOf(api.PUT("/api/v1/projects/{ref}/secrets/{name}", { params: { path: { ref: project, name } }, body: { secret_values: { [key]: value } } })),
  );
}

export function useSecretDelete(project: string) {
  return useDeed(project, ({ name, key }: { name: string; key?: string }) =>
    key ? bodyOf(api.DELETE("/api/v1/projects/{ref}/secrets/{name}/{key}", { params: { path: { ref: project, name, key } } })) : bodyOf(api.DELETE("/api/v1/projects/{ref}/secrets/{name}", { params: { path: { ref: project, name } } })),
  );
}
