// Mutexes and semaphores of a project: who holds, who waits, and what may be done about it.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

const key = (project: string) => ["locks", project] as const;

export function useLocks(project: string) {
  return useQuery({ queryKey: key(project), queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/shared", { params: { path: { ref: project } } })), refetchInterval: 5_000 });
}

function useDeed<A, R>(project: string, deed: (asked: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: deed, onSuccess: () => client.invalidateQueries({ queryKey: key(project) }) });
}

export function useLockBreak(project: string) {
  return useDeed(project, ({ lock, run, node }: { lock: string; run: string; node: string }) => bodyOf(api.POST("/api/v1/projects/{ref}/locks/{lock}/break", { params: { path: { ref: project, lock } }, body: { run, node } })));
}

export function useSemaphoreSize(project: string) {
  return useDeed(project, ({ name, size }: { name: string; size: number }) => bodyOf(api.PUT("/api/v1/projects/{ref}/semaphores/{key}", { params: { path: { ref: project, key: name } }, body: { size } })));
}
