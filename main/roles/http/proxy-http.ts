import type { ServerResponse } from 'node:http'
import { Address } from '@ton/core'
import { parseProxyState } from '../../../contracts/proxy.ts'
import {
  type Asked,
  type HttpPlace,
  isLoopback,
  type Listener,
  listenHttp,
  readBody,
  sendJson,
  sendText,
} from '../../base/http-listener.ts'
import type { Logger } from '../../base/logger.ts'
import type { CocoonProxy } from '../../proxy/proxy.ts'
import { version } from '../../version.ts'
import { type RoleWallet, walletStats } from '../role-wallet.ts'
import { hasAccess } from './access.ts'
import { performanceText } from './performance-text.ts'
import { statsPage } from './stats-page.ts'

export interface ProxyHttpOptions extends HttpPlace {
  readonly proxy: CocoonProxy
  readonly wallet: RoleWallet
  /** The proxy contract. */
  readonly contract: Address
  readonly accessHash: string
  readonly logger: Logger
}

/** Status and requests of a proxy for its operator (protocol 50 §9). The requests need the access hash, elsewhere than here the status too. */
export function openProxyHttp(options: ProxyHttpOptions): Promise<Listener> {
  const { proxy, wallet } = options

  const stats = async (): Promise<Record<string, unknown> | undefined> => {
    const { balance, json } = await walletStats(wallet)
    return proxy.stats({ walletNano: balance, wallet: json, commissionNano: await commission(options), version })
  }

  /** Both are posted, so that no link that somebody follows turns a proxy off. */
  const switchOver = async ({ method, path, request, response, search }: Asked): Promise<void> => {
    const say = sayTo(response)
    if (method !== 'POST') return say(405, 'this has to be posted')
    const text = (await readBody(request, mostFormBytes)).toString('utf8')
    if (path === '/request/enable') return proxy.enable() ? say(200, 'enabled') : say(503, 'proxy is not inited')
    const version = new URLSearchParams(text).get('version') ?? search.get('version')
    if (version !== null && !/^\d{1,9}$/.test(version)) return say(400, 'version must be a version of the network')
    return proxy.disable(version === null ? undefined : Number(version)) ? say(200, 'disabled') : say(503, 'proxy is not inited')
  }

  const settle = ({ path, search, response }: Asked): void => {
    const say = sayTo(response)
    if (path === '/request/withdraw') return proxy.withdrawNow() ? say(200, 'request sent') : say(503, 'proxy is not inited')
    const kind = path === '/request/charge' ? 'client' : path === '/request/payout' ? 'worker' : undefined
    if (kind === undefined) return say(404, 'unknown request')
    const owner = parse(search.get(kind) ?? '')
    if (owner === undefined) return say(400, `${kind} must be the owner's address`)
    return proxy.settleNow(kind, owner) ? say(200, 'request sent') : say(404, `${kind} not found`)
  }

  return listenHttp(options, async (asked) => {
    const { path, response } = asked
    const isStatus = path === '/stats' || path === '/jsonstats' || path === '/perf'
    if (!isStatus && !path.startsWith('/request/')) return sendJson(response, 404, { error: 'not found' })
    if (!hasAccess(asked, options.accessHash) && !(isStatus && isLoopback(options.host)))
      return sendJson(response, 403, { error: 'the access hash of the key file is needed: ?access_hash=' })
    if (path === '/request/enable' || path === '/request/disable') return switchOver(asked)
    if (!isStatus) return settle(asked)
    if (path === '/perf') return sendText(response, 200, 'text/plain', performanceText())
    const data = await stats()
    if (data === undefined) return sendJson(response, 503, { error: 'the proxy is moving to new terms' })
    if (path === '/jsonstats') return sendJson(response, 200, data)
    return sendText(response, 200, 'text/html; charset=utf-8', statsPage('Cocoon proxy', data))
  })
}

const mostFormBytes = 4_096

const sayTo =
  (response: ServerResponse) =>
  (status: number, text: string): void =>
    sendText(response, status, 'text/html; charset=utf-8', `${text}\n`)

/** nanoton of commission in the proxy contract; 0 while it cannot be read. */
async function commission({ wallet, contract }: ProxyHttpOptions): Promise<bigint> {
  try {
    const data = wallet.money === undefined ? null : (await wallet.money.chain.account(contract)).data
    return data === null ? 0n : parseProxyState(data).balance
  } catch {
    return 0n
  }
}

function parse(text: string): Address | undefined {
  try {
    return Address.parse(text)
  } catch {
    return undefined
  }
}
