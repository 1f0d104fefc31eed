import { useCallback, useEffect, useRef, useState } from 'react'
import { ApiError, type CallInput, type CallName, type CallOutput } from '../../../preload/api/contract.ts'
import { useApi } from './api-context.tsx'

export interface Call<N extends CallName> {
  /** Resolves to null when the call failed; the failure is in `error`. */
  run(input: CallInput<N>): Promise<CallOutput<N> | null>
  readonly running: boolean
  readonly error: ApiError | null
  clear(): void
}

/** A call made by the user's own action: whether it runs, and how it failed. */
export function useCall<N extends CallName>(name: N): Call<N> {
  const api = useApi()
  const [running, setRunning] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  const alive = useRef(true)
  useEffect(() => {
    alive.current = true
    return () => {
      alive.current = false
    }
  }, [])
  const run = useCallback(
    async (input: CallInput<N>): Promise<CallOutput<N> | null> => {
      setRunning(true)
      setError(null)
      try {
        return await api.call(name, input)
      } catch (thrown) {
        const failure = thrown instanceof ApiError ? thrown : new ApiError('internal', String(thrown))
        if (alive.current) setError(failure)
        return null
      } finally {
        if (alive.current) setRunning(false)
      }
    },
    [api, name],
  )
  const clear = useCallback(() => setError(null), [])
  return { run, running, error, clear }
}

/** The answer of a call that only reads, asked for once per mount and again after each reconnect. */
export function useAnswer<N extends CallName>(name: N, input: CallInput<N>): CallOutput<N> | undefined {
  const api = useApi()
  const [answer, setAnswer] = useState<CallOutput<N>>()
  const key = JSON.stringify(input)
  useEffect(() => {
    let wanted = true
    const stop = api.onConnection((connected) => {
      if (!connected) return
      api.call(name, JSON.parse(key) as CallInput<N>).then(
        (output) => wanted && setAnswer(output),
        // What cannot be read now is read after the next reconnect; the screen says "not known" meanwhile.
        () => undefined,
      )
    })
    return () => {
      wanted = false
      stop()
    }
  }, [api, name, key])
  return answer
}
