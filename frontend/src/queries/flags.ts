// Feature flags: of the installation, or (with a project) of one project.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

const key = (project: string) => ["flags", project] as const;

export function useFlags(project = "") {
  return useQuery({
    queryKey: key(project),
    queryFn: () => bodyOf(project ? api.GET("/api/v1/projects/{ref}/flags", { params: { path: { ref: project } } }) : api.GET("/api/v1/flags")),
  });
}

export function useFlagSet(project = "") {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ name, on }: { name: string; on: boolean | null }) =>
      bodyOf(
        project
          ? api.PUT("/api/v1/projects/{ref}/flags/{name}", { params: { path: { ref: project, name } }, body: { on } })
          : api.PUT("/api/v1/flags/{name}", { params: { path: { name } }, body: { on } }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["flags"] }),
  });
}
