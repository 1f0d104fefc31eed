import type { ApiError, CocoonApi, StreamEvent, StreamInput, StreamName } from '../../../preload/api/contract.ts'

export interface StreamState<T> {
  /** Undefined until the first event; kept while the connection is lost and while nobody looks. */
  readonly value: T | undefined
  readonly error: ApiError | undefined
}

export interface StreamStore<T> {
  subscribe(listener: () => void): () => void
  read(): StreamState<T>
}

/** Long enough for a screen to hand over to the next one without asking the core again. */
const lingerMs = 1_000

/**
 * One subscription shared by every component that reads it. It is open while somebody listens; the last value stays, so that a screen
 * that comes back shows amounts at once and not a skeleton.
 */
export function streamStore<N extends StreamName, T>(
  api: CocoonApi,
  name: N,
  input: StreamInput<N>,
  reduce: (last: T | undefined, event: StreamEvent<N>) => T | undefined,
): StreamStore<T> {
  let state: StreamState<T> = { value: undefined, error: undefined }
  const listeners = new Set<() => void>()
  let stop: (() => void) | null = null
  let lingering: ReturnType<typeof setTimeout> | undefined

  const set = (next: StreamState<T>): void => {
    state = next
    for (const listener of [...listeners]) listener()
  }

  return {
    read: () => state,
    subscribe(listener) {
      listeners.add(listener)
      clearTimeout(lingering)
      stop ??= api.subscribe(
        name,
        input,
        (event) => set({ value: reduce(state.value, event), error: undefined }),
        (error) => {
          // A stream that ended with a refusal is asked for anew by the next reader.
          if (error.code !== 'malformed') stop = null
          set({ value: state.value, error })
        },
      )
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        lingering = setTimeout(() => {
          stop?.()
          stop = null
        }, lingerMs)
      }
    },
  }
}
