import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { api, bodyOf, type Schemas } from "@/api/client";

export type Showcase = Schemas["ShowcaseOut"];

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
