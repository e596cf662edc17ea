// A step's working directory: asked of the site each time, so nothing of it is kept for long.

import { useQuery } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";

export type Look = Schemas["LookOut"];
const TAIL_BYTES = 64 * 1024;
const FOLLOW_MS = 2_000;

/** A directory's names, or the last bytes of a file; of a step that runs, again and again while `follow`. */
export function useLook(task: string, path: string, follow: boolean) {
  return useQuery({
    queryKey: ["step-files", task, path],
    queryFn: ({ signal }) =>
      bodyOf(
        api.POST("/api/v1/tasks/{id}/files", {
          params: { path: { id: task } },
          headers: { "Idempotency-Key": idempotencyKey() },
          body: { path, offset: -TAIL_BYTES, limit: TAIL_BYTES, wait_s: 10 },
          signal,
        }),
      ),
    retry: false,
    gcTime: 10_000,
    refetchInterval: (query) => (follow && query.state.data?.live ? FOLLOW_MS : false),
  });
}
