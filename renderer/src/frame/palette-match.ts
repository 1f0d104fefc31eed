/** Where the query stands in the label, anywhere in a word; null when it does not. An empty query is at the start of everything. */
export function matchAt(label: string, query: string): number | null {
  const at = label.toLocaleLowerCase().indexOf(query.trim().toLocaleLowerCase())
  return at < 0 ? null : at
}

/** Order of commands while the field is empty: the last used first, the newest at the top. */
export function recentFirst<T extends { readonly id: string }>(commands: readonly T[], recent: readonly string[]): T[] {
  const used = recent.flatMap((id) => commands.find((command) => command.id === id) ?? [])
  return [...used, ...commands.filter((command) => !recent.includes(command.id))]
}

/** The last five used commands after `id` was used. */
export const withRecent = (recent: readonly string[], id: string): string[] =>
  [id, ...recent.filter((one) => one !== id)].slice(0, 5)
