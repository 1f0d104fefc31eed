import { Failure } from '../base/failure.ts'

/** Why a source did not give the file. Only `cancelled` and `disk-full` end the whole download; the others lead to the next source. */
export type DownloadProblem = Failure<
  | 'cancelled'
  | 'disk-full'
  | 'source-unreachable'
  | 'source-refused'
  | 'wrong-size'
  | 'wrong-hash'
  | 'not-in-archive'
  | 'write-failed'
>

export function cancelled(partKept = true): DownloadProblem {
  return new Failure(
    'cancelled',
    `The download was cancelled.${partKept ? ' What was received is kept for the next try.' : ''}`,
    {
      words: { code: 'download-cancelled' },
    },
  )
}

export function diskFull(neededBytes: number): DownloadProblem {
  return new Failure('disk-full', `There is not enough room on the disk: about ${Math.ceil(neededBytes / 1e6)} MB are needed.`, {
    advice: 'Free some space and start the download again.',
    retryable: true,
  })
}

export function unreachable(source: string, cause: unknown): DownloadProblem {
  return new Failure('source-unreachable', `${source} does not answer.`, { retryable: true, cause, values: { source } })
}

/** It would have to go on with pieces that it did not give, and does not. The part is kept. */
export function refusedPieces(source: string, cause: unknown): DownloadProblem {
  return new Failure('source-refused', `${source} does not go on with what is there of the file.`, { cause, values: { source } })
}
