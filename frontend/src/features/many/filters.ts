// What of an address narrows a list of runs. An address may say more: the project, how a page is sorted, what a mail program adds.

const FILTERS = ["state", "phase", "search", "label", "submitted_by", "pipeline", "parent_run", "created_after", "created_before", "run"];

/** The filters an address names, each with all its values. */
export const filtersOf = (params: URLSearchParams): Record<string, string[]> =>
  Object.fromEntries(FILTERS.filter((name) => params.has(name)).map((name) => [name, params.getAll(name)]));
