import { useQuery } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

export function useGallery(project: string, enabled = true) {
  return useQuery({
    queryKey: ["pipelines", project, "gallery"],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/gallery", { params: { path: { ref: project } } })),
    enabled,
  });
}
