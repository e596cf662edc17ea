// Records and lists under names that people choose: `toString` and `__proto__` are names like any other, and two
// may be the same.

/** What a record has under a name itself; never what every object inherits. */
export function own<T>(record: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** A picker's options without those whose value came before: the component library ends the page at a second one. */
export function distinct<T extends string | { value: string }>(options: readonly T[]): T[] {
  const seen = new Set<string>();
  return options.filter((option) => {
    const value = typeof option === "string" ? option : option.value;
    return !seen.has(value) && seen.add(value);
  });
}
