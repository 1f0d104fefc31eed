/** A weak tag does not promise the same bytes. */
export function strongEtag(response: Response): string | null {
  const tag = response.headers.get('etag')
  return tag?.startsWith('"') ? tag : null
}

/** Where in the file the answer begins; NaN where it does not say. */
export function startOf(response: Response): number {
  if (response.status === 200) return 0
  return Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN)
}

/** Size of the whole file by the answer; null where it does not say. */
export function totalOf(response: Response, from: number): number | null {
  const whole = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
  if (whole !== undefined) return Number(whole)
  const length = response.headers.get('content-length')
  return length === null || !/^\d+$/.test(length) ? null : from + Number(length)
}
