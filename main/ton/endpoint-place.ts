/**
 * Where an HTTP endpoint is, so that one that is named twice is found: host, port and path. What else an address can say (a key in the query, another name
 * of this computer, a dot or slash at the end) makes no second endpoint of it. Throws TypeError for what is no URL.
 */
export function endpointPlace(endpoint: string): string {
  const { hostname, port, pathname } = new URL(endpoint)
  const host = hostname === 'localhost' || hostname === '[::1]' ? '127.0.0.1' : hostname.replace(/\.$/, '')
  return `${host}:${port}${pathname.replace(/\/+$/, '')}`
}

/** An endpoint as screens, logs and saved files name it: what stands behind a question mark is often somebody's key. Throws TypeError for what is no URL. */
export function shownEndpoint(endpoint: string): string {
  const { origin, pathname, search } = new URL(endpoint)
  return search === '' ? endpoint : `${origin}${pathname}`
}
