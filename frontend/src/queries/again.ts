// Going on with a run: retry with changes, answering what waits for a person, and who did what.

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { keys } from ".";

export type RetryAsk = Partial<Schemas["RetryAskRequest"]>;

export function useRetryProposal(run: string, ask: RetryAsk, enabled: boolean) {
  return useQuery({
    queryKey: ["retry-proposal", run, ask], // not below the run: once it goes on there is nothing to propose
    queryFn: () => bodyOf(api.POST("/api/v1/runs/{id}/retry/proposal", { params: { path: { id: run } }, body: ask as Schemas["RetryAskRequest"] })),
    placeholderData: keepPreviousData,
    enabled,
    retry: false,
  });
}

export function useRetry(run: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ ask, key }: { ask: RetryAsk; key: string }) =>
      bodyOf(api.POST("/api/v1/runs/{id}/retry", { params: { path: { id: run } }, body: ask as Schemas["RetryAskRequest"], headers: { "Idempotency-Key": key } })),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.run(run) }),
  });
}

/** Let one suspended node go on with these outputs, or end it as Failed. */
export function useAnswer(run: string, node: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ go, outputs, message }: { go: boolean; outputs: Record<string, string>; message: string }) => {
      const headers = { "Idempotency-Key": idempotencyKey() };
      const params = { path: { id: run } };
      const selector = `id=${node}`;
      return go
        ? bodyOf(api.POST("/api/v1/runs/{id}/resume", { params, headers, body: { selector, outputs, message } }))
        : bodyOf(api.POST("/api/v1/runs/{id}/stop", { params, headers, body: { selector, message } }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.run(run) }),
  });
}
