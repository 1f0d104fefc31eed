import { webLink } from '../../../preload/api/web-link.ts'

export interface LinkTarget {
  readonly href: string
  /** As shown after the link's words: the real host first. */
  readonly shown: string
}

/** Where a link of an answer may lead; null for anything but a web page. */
export function linkTarget(href: string): LinkTarget | null {
  const url = webLink(href)
  return url && { href: url.href, shown: url.href.length <= 80 ? url.href : `${url.href.slice(0, 79)}…` }
}
