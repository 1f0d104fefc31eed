import { useSyncExternalStore } from 'react'
import type { StreamEvent, StreamInput, StreamName } from '../../../preload/api/contract.ts'
import { useApiValue } from './api-context.tsx'
import type { StreamState } from './stream-store.ts'

/** The newest event of a stream whose events are whole states. */
export function useStream<N extends StreamName>(name: N, input: StreamInput<N>): StreamState<StreamEvent<N>> {
  const store = useApiValue().store(name, input)
  return useSyncExternalStore(store.subscribe, store.read)
}
