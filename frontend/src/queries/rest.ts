// A page opens with one answer, which has the first page of each of its lists; the rest is asked for when it is wanted.

import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { cursorOf } from ".";

export interface ListPage<Row> {
  results: Row[];
  next: string | null;
}

export interface WholeList<Row> {
  rows: Row[];
  failed: Error | null;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

/**
 * The list behind its first page. `key` begins with the page's own, so that what makes the page old makes this old too;
 * when the first page moves on, the rest begins anew behind it. `id` keeps a row that is for a moment in both from
 * being shown twice.
 */
export function useRest<Row>(key: readonly unknown[], first: ListPage<Row>, ask: (cursor: string) => Promise<ListPage<Row>>, id: (row: Row) => string | number): WholeList<Row> {
  const [wanted, setWanted] = useState(false);
  const begin = cursorOf(first.next);
  const rest = useInfiniteQuery({
    queryKey: [...key, "rest", begin ?? ""],
    queryFn: ({ pageParam }) => ask(pageParam),
    initialPageParam: begin ?? "",
    getNextPageParam: (page) => cursorOf(page.next),
    enabled: wanted && begin !== undefined,
    placeholderData: keepPreviousData,
  });
  const more = wanted && begin !== undefined ? (rest.data?.pages.flatMap((page) => page.results) ?? []) : [];
  return {
    rows: [...new Map([...first.results, ...more].map((row) => [id(row), row])).values()],
    failed: rest.error,
    hasNextPage: begin !== undefined && (!wanted || rest.hasNextPage || rest.isError),
    isFetchingNextPage: wanted && rest.isFetching,
    fetchNextPage: () => (!wanted ? setWanted(true) : rest.data === undefined ? rest.refetch() : rest.fetchNextPage()),
  };
}
