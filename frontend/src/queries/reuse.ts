// What a run took over from earlier ones, and why not more.

import { useQuery } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import { keys } from ".";

export function useRunReuse(run: string, enabled: boolean) {
  return useQuery({
    queryKey: keys.part(run, "reuse"),
    queryFn: () => bodyOf(api.GET("/api/v1/runs/{id}/reuse", { params: { path: { id: run } } })),
    enabled,
  });
}
