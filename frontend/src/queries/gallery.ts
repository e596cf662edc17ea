import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, bodyOf, type Schemas } from "@/api/client";

export type Showcase = Schemas["ShowcaseOut"];

/** The first pipelines by name, with what their runs took: for a list to choose from. */
export function useGallery(project: string, enabled = true) {
  return useQuery({
    queryKey: ["pipelines", project, "gallery"],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/gallery", { params: { path: { ref: project } } })),
    enabled,
  });
}

/** Page after page of those that are searched for. */
export function useGalleryPages(project: string, search: string, tag: string) {
  return useInfiniteQuery({
    queryKey: ["pipelines", project, "gallery", search, tag],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET("/api/v1/projects/{ref}/gallery", {
          params: { path: { ref: project }, query: { search: search || undefined, tag: tag || undefined, after: pageParam || undefined } },
        }),
      ),
    getNextPageParam: (page) => page.next_after || undefined,
    placeholderData: keepPreviousData,
  });
}
