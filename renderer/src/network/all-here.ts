import type { NetworkState } from '../../../preload/api/system.ts'

const isLoopback = (address: string | undefined): boolean => /^127\.\d+\.\d+\.\d+(:|$)/.test(address ?? '')

/** Whether chain and proxies of a network all run on this computer, as far as their addresses tell; not before a proxy is known. */
export const isAllHere = ({ chain, proxies }: Pick<NetworkState, 'chain' | 'proxies'>): boolean =>
  chain === 'local' &&
  proxies.length > 0 &&
  proxies.every(({ clientPort, workerPort }) => [clientPort, workerPort].every(isLoopback))
