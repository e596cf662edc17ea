// A step's working directory: asked of the site each time, so nothing of it is kept for long.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey } from "@/api/client";
import { joined, offsetAfter, TAIL_BYTES, type Look } from "@/features/files/tail";

export type { Look };
const FOLLOW_MS = 2_000;

/** A directory's names, or the last bytes of a file; of a step that runs, again and again while `follow`. */
export function useLook(task: string, path: string, follow: boolean) {
  const client = useQueryClient();
  const queryKey = ["step-files", task, path];
  return useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      const ask = (offset: number) =>
        bodyOf(
          api.POST("/api/v1/tasks/{id}/files", {
            params: { path: { id: task } },
            headers: { "Idempotency-Key": idempotencyKey() },
            body: { path, offset, limit: TAIL_BYTES, wait_s: 10 },
            signal,
          }),
        );
      const shown = client.getQueryData<Look>(queryKey);
      const found = await ask(offsetAfter(shown));
      if (shown === undefined || offsetAfter(shown) < 0) return found;
      return joined(shown, found) ?? ask(-TAIL_BYTES);
    },
    retry: false,
    gcTime: 10_000,
    refetchInterval: (query) => (follow && query.state.data?.live ? FOLLOW_MS : false),
  });
}
