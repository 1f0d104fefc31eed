import type { PieceList } from './piece-list.ts'
import type { RateLimit } from './rate-limit.ts'

export interface DownloadProgress {
  readonly receivedBytes: number
  readonly totalBytes: number | null
}

export interface DownloadOptions {
  readonly url: string
  /** Sent with each request, e.g. `Authorization`; never stored or logged. */
  readonly headers?: Readonly<Record<string, string>>
  /** What a part belongs to. Default: the URL. Give it where URLs change or hold secrets: it is written beside the part. */
  readonly partKey?: string
  /** Whether the URL tells sources of the same part apart and may be written beside it. Default: only without a `partKey`. */
  readonly urlIsStable?: boolean
  /** What the source is called in messages. */
  readonly source: string
  /**
   * Where the bytes are collected; the file stays there, complete, when the download succeeds. Beside it lies its state, `<part>.json`:
   * with it, a file that was not yet verified when the process ended need not be loaded again. `removePart` removes both.
   */
  readonly partPath: string
  readonly sizeBytes: number | null
  /** A file of more is refused where its size is not known. */
  readonly mostBytes?: number
  /** True when the caller compares the hash of the whole with a known one. Only then is a part kept and continued. */
  readonly hashKnown: boolean
  readonly signal: AbortSignal
  readonly onProgress: (progress: DownloadProgress) => void
  /** Longest wait for the first answer of the server, with every address that it leads to. Default `defaultConnectTimeoutMs`. */
  readonly connectTimeoutMs?: number
  /** Longest silence in the middle. Default 20 s. */
  readonly stallTimeoutMs?: number
  /** Pause before going on after a broken connection. Default 500 ms. */
  readonly retryPauseMs?: number
  /** Connections at the same time, for files large enough. Default 4; 1 for one after the other. */
  readonly connections?: number
  /** Files from this size on are loaded in pieces. Default 256 MiB. */
  readonly parallelFromBytes?: number
  /** Default 32 MiB. */
  readonly pieceBytes?: number
  /** What each piece has to be. Then it is checked as it comes, and what is there before it counts. */
  readonly pieces?: PieceList | undefined
  /** Shared by all connections; absent for no limit. */
  readonly rate?: RateLimit
  /** Free bytes on the disk of a folder; for tests. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

/** Over a satellite the way to a hub, which leads on to another server, takes some seconds; and a mirror may have to fetch the file first. */
export const defaultConnectTimeoutMs = 10_000

/** What a tag belongs to. Where addresses change or hold secrets it is what the part belongs to. */
export function sourceOf({
  url,
  partKey,
  urlIsStable = partKey === undefined,
}: Pick<DownloadOptions, 'url' | 'partKey' | 'urlIsStable'>): string {
  return urlIsStable ? url : (partKey ?? url)
}
