// When a step starts, what would start it, what made it fail; and making one of the changes on offer.
// Kept apart from the run's own keys: a live run's events come twice a second, and this answer simulates the queue.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { keys } from "@/queries";

export type TaskStart = Schemas["TaskStartOut"];
export type Option = Schemas["OptionOut"];
export type Change = Schemas["ChangeOut"];

export const startKey = (task: string) => ["task-start", task] as const;

export function useTaskStart(task: string, again: boolean) {
  return useQuery({
    queryKey: startKey(task),
    queryFn: () => bodyOf(api.GET("/api/v1/tasks/{id}/start", { params: { path: { id: task } } })),
    enabled: task !== "",
    refetchInterval: again ? 10_000 : false,
    staleTime: 5_000,
  });
}

/** An option's changes as they are sent back. */
const asked = (option: Option) =>
  option.changes.map(({ kind, amount, word, pool_id, member }) => ({
    kind,
    ...(amount === null ? {} : { amount }),
    ...(word ? { word } : {}),
    ...(pool_id ? { pool_id } : {}),
    ...(member ? { member } : {}),
  }));

/** Asks those who may, by a notice. */
export function useAsk(task: string) {
  return useMutation({
    mutationFn: (option: Option) =>
      bodyOf(api.POST("/api/v1/tasks/{id}/start/ask", { params: { path: { id: task } }, headers: { "Idempotency-Key": idempotencyKey() }, body: { changes: asked(option) } })),
  });
}

export function useApplyOption(run: string, task: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ option, like }: { option: Option; like: boolean }) =>
      bodyOf(
        api.POST("/api/v1/tasks/{id}/start", {
          params: { path: { id: task } },
          headers: { "Idempotency-Key": idempotencyKey() },
          body: {
            like,
            changes: asked(option),
          },
        }),
      ),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.run(run) });
      await client.invalidateQueries({ queryKey: startKey(task) });
    },
  });
}
