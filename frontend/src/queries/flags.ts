// Feature flags: of the installation, or (with a project) of one project, whose page has them.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import { settingsKey } from "./settings";

const key = ["flags"] as const;

export function useFlags() {
  return useQuery({ queryKey: key, queryFn: () => bodyOf(api.GET("/api/v1/flags")) });
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
    onSuccess: () => client.invalidateQueries({ queryKey: project ? settingsKey(project) : key }),
  });
}
