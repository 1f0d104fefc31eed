import { z } from 'zod'
import { commitHash } from './catalog.ts'

/** What the hub says of a file before it is loaded. Null is what it did not say. */
export interface HubFacts {
  readonly commit: string | null
  readonly sizeBytes: number | null
  readonly sha256: string | null
}

export const unknownToHub: HubFacts = { commit: null, sizeBytes: null, sha256: null }

/** A file kept by its hash has that as its tag: 64 hex digits between quotes. */
const linkedTag = z.string().regex(/^"?[0-9a-f]{64}"?$/)
const linkedSize = z.string().regex(/^[1-9]\d{0,14}$/)

/**
 * Asks the hub for the revision, size and hash of a file: it says them in headers of its own (`X-Repo-Commit`, `X-Linked-Size`, `X-Linked-Etag`)
 * on the answer that leads to the file, so the redirect is not followed. A hub that does not answer, or says something else, leaves all
 * unknown: nothing depends on it.
 */
export async function askHub(url: string, signal: AbortSignal, timeoutMs = 5000): Promise<HubFacts> {
  let headers: Headers
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      headers: { 'Accept-Encoding': 'identity' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    headers = response.headers
  } catch (error) {
    signal.throwIfAborted()
    void error
    return unknownToHub
  }
  const commit = commitHash.safeParse(headers.get('x-repo-commit'))
  const size = linkedSize.safeParse(headers.get('x-linked-size'))
  const tag = linkedTag.safeParse(headers.get('x-linked-etag'))
  return {
    commit: commit.success ? commit.data : null,
    sizeBytes: size.success ? Number(size.data) : null,
    sha256: tag.success ? tag.data.replaceAll('"', '') : null,
  }
}
