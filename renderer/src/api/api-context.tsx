import { createContext, type ReactNode, useContext, useMemo, useSyncExternalStore } from 'react'
import type { StreamEvent, StreamInput, StreamName } from '../../../preload/api/contract.ts'
import type { ApiClient, LinkStatus } from './client.ts'
import { type StreamStore, streamStore } from './stream-store.ts'

interface ApiValue {
  readonly client: ApiClient
  store<N extends StreamName>(name: N, input: StreamInput<N>): StreamStore<StreamEvent<N>>
}

const ApiContext = createContext<ApiValue | null>(null)

export function ApiProvider({ client, children }: { client: ApiClient; children: ReactNode }) {
  const value = useMemo<ApiValue>(() => {
    const stores = new Map<string, unknown>()
    return {
      client,
      store<N extends StreamName>(name: N, input: StreamInput<N>) {
        const key = `${name} ${JSON.stringify(input)}`
        const known = stores.get(key) as StreamStore<StreamEvent<N>> | undefined
        if (known) return known
        const made = streamStore<N, StreamEvent<N>>(client, name, input, (_last, event) => event)
        stores.set(key, made)
        return made
      },
    }
  }, [client])
  return <ApiContext value={value}>{children}</ApiContext>
}

export function useApiValue(): ApiValue {
  const value = useContext(ApiContext)
  if (!value) throw new Error('This component needs an ApiProvider above it.')
  return value
}

export const useApi = (): ApiClient => useApiValue().client

export function useLinkStatus(): LinkStatus {
  const client = useApi()
  const source = useMemo(() => {
    let status: LinkStatus = 'connecting'
    return {
      subscribe: (changed: () => void) =>
        client.onStatus((next) => {
          status = next
          changed()
        }),
      read: () => status,
    }
  }, [client])
  return useSyncExternalStore(source.subscribe, source.read)
}
