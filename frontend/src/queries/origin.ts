// Where something comes from and what was made of it; and keeping what a step left as a dataset.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { keys } from ".";

export type Origin = Schemas["OriginOut"];

/** An artifact's key as the parts of its address. */
function partsOf(key: string): { run: string; node: string; generation: number; name: string } {
  const [run = "", node = "", generation = "", ...rest] = key.split("/");
  return { run, node, generation: Number(generation), name: rest.join("/") };
}

/** The origin of a run as a whole, or of one of its artifacts. */
export function useRunOrigin(run: string, artifact: string) {
  return useQuery({
    queryKey: keys.part(run, "origin", artifact),
    queryFn: (): Promise<Origin> =>
      artifact === ""
        ? bodyOf(api.GET("/api/v1/runs/{id}/origin", { params: { path: { id: run } } }))
        : bodyOf(api.GET("/api/v1/artifacts/{run}/{node}/{generation}/{name}/origin", { params: { path: partsOf(artifact) } })),
  });
}

export function useVersionOrigin(id: string, number: number, enabled: boolean) {
  return useQuery({
    queryKey: ["dataset", id, "origin", number],
    queryFn: () => bodyOf(api.GET("/api/v1/datasets/{id}/versions/{number}/origin", { params: { path: { id, number } } })),
    enabled,
  });
}

/** Make an artifact the next version of a dataset. */
export function useKeep(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ artifact, name }: { artifact: string; name: string }) =>
      bodyOf(
        api.POST("/api/v1/datasets", {
          body: { project, name, artifact } as Schemas["DatasetCreateRequest"],
          headers: { "Idempotency-Key": idempotencyKey() },
        }),
      ),
    onSuccess: (_, { artifact }) =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["datasets", project] }),
        client.invalidateQueries({ queryKey: keys.part(partsOf(artifact).run, "origin", artifact) }),
      ]),
  });
}
