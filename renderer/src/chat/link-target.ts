export interface LinkTarget {
  readonly href: string
  /** As shown after the link's words: the real host first. */
  readonly shown: string
}

/** Where a link of an answer may lead: web pages only, with no name and password in the address. Null for anything else. */
export function linkTarget(href: string): LinkTarget | null {
  let url: URL
  try {
    url = new URL(href)
  } catch {
    return null
  }
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '' || url.password !== '') return null
  return { href: url.href, shown: url.href.length <= 80 ? url.href : `${url.href.slice(0, 79)}…` }
}
