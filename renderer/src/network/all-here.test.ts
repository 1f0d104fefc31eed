import { expect, it } from 'vitest'
import type { NetworkState } from '../../../preload/api/system.ts'
import { isAllHere } from './all-here.ts'

const proxyAt = (clientPort: string, workerPort: string): NetworkState['proxies'][number] => ({
  clientPort,
  workerPort,
  state: 'connected',
  verification: '',
  workers: null,
})
const here = proxyAt('127.0.0.1:5102', '127.0.0.1:5101')

it.each<[string, NetworkState['chain'], NetworkState['proxies'], boolean]>([
  ['the app’s own proxy', 'local', [here], true],
  ['a proxy at another address', 'local', [here, proxyAt('192.168.1.7:5102', '192.168.1.7:5101')], false],
  ['a proxy whose workers come to another address', 'local', [proxyAt('127.0.0.1:5102', '10.0.0.2:5101')], false],
  ['an address that only begins like this computer’s', 'local', [proxyAt('127.0.0.1.example:1', '127.0.0.1:2')], false],
  ['no proxy that is known yet', 'local', [], false],
  ['another chain', 'testnet', [here], false],
])('with %s', (_name, chain, proxies, all) => expect(isAllHere({ chain, proxies })).toBe(all))
