import type { Address } from '@ton/core'
import { asError } from '../../base/failure.ts'
import type { Logger } from '../../base/logger.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { jsonNumber, rootJson } from '../../ton/root-json.ts'
import { version } from '../../version.ts'
import type { Worker } from '../../worker/worker.ts'
import { type RoleWallet, walletBalance } from '../role-wallet.ts'
import type { WorkerMeter } from '../worker-meter.ts'
import { hasAccess } from './access.ts'
import { type Asked, type HttpPlace, isLoopback, type Listener, listenHttp, sendJson, sendText } from './listener.ts'
import { statsPage } from './stats-page.ts'

export interface WorkerHttpOptions extends HttpPlace {
  readonly worker: Worker
  readonly meter: WorkerMeter
  readonly wallet: RoleWallet
  readonly owner: Address
  readonly modelName: string
  /** Thousandths. */
  readonly coefficient: () => number
  readonly setCoefficient: (thousandths: number) => void
  readonly checksHashes: boolean
  readonly accessHash: string
  readonly root: () => RootConfig | null
  readonly logger: Logger
}

/** Status and switches of a worker for its operator (protocol 40 §9). The switches need the access hash, elsewhere than here the status too. */
export function openWorkerHttp(options: WorkerHttpOptions): Promise<Listener> {
  const { worker, logger } = options

  const stats = async (): Promise<Record<string, unknown>> => {
    const { wallet, meter, owner, modelName } = options
    const root = options.root()
    const balance = jsonNumber(await walletBalance(wallet).catch(() => 0n))
    const { connections, running, paused, engineHealthy } = worker.state.value
    return {
      status: {
        wallet_balance: balance,
        actual_model: modelName,
        ton_last_synced_at: Math.floor((root?.readAtMs ?? 0) / 1000),
        enabled: !paused && engineHealthy,
        running_queries: running,
        git_commit: version,
        git_commit_data: '',
      },
      stats: meter.values(),
      wallet: { address: wallet.address.toString({ bounceable: false }), balance },
      localconfig: {
        root_address: root?.address.toString() ?? '',
        owner_address: owner.toString({ bounceable: false }),
        model: modelName,
        coefficient: options.coefficient(),
        check_proxy_hash: options.checksHashes,
      },
      root_contract_config: root === null ? {} : rootJson(root, String),
      proxy_connections: connections.map((one) => ({
        address: one.endpoint,
        is_ready: one.phase === 'ready',
        proxy_sc_address: one.proxyContract?.toString() ?? '',
      })),
      proxies: worker.contracts().map((record) => ({
        proxy_sc_address: record.proxyContract.toString(),
        proxy_public_key: Buffer.from(record.proxyKey).toString('hex'),
        sc_address: record.contract.toString(),
        earned_tokens_committed_to_blockchain: jsonNumber(record.signedTokens),
        earned_tokens_committed_to_proxy_db: jsonNumber(record.dbTokens),
        earned_tokens_max_known: jsonNumber(record.maxTokens),
      })),
    }
  }

  const change = ({ path, search, response }: Asked): void => {
    const say = (status: number, text: string): void => sendText(response, status, 'text/html; charset=utf-8', `${text}\n`)
    switch (path) {
      case '/request/enable':
        worker.resume()
        return say(200, 'enabled')
      case '/request/disable':
        worker.pause()
        return say(200, 'disabled')
      case '/request/change_coefficient': {
        const said = search.get('coefficient') ?? ''
        const wanted = Math.round(Number(said) * 1000)
        // An empty one must not become a price of 0.
        if (!/^\d+(\.\d+)?$/.test(said) || wanted >= 1e9) return say(400, 'coefficient must be a factor, e.g. 1.5')
        options.setCoefficient(wanted)
        return say(200, `coefficient set to ${wanted / 1000}`)
      }
      case '/request/payout': {
        const proxy = search.get('proxy')
        const record = worker.contracts().find((one) => proxy === null || one.proxyContract.toString() === proxy)
        if (record === undefined) return say(404, 'proxy not found')
        worker.settle(proxy === null ? undefined : record.contract).then(
          () => logger.info('a payout that the operator asked for is done'),
          (thrown: unknown) => logger.warn('a payout that the operator asked for failed', { reason: asError(thrown).message }),
        )
        return say(200, 'request sent')
      }
      default:
        return say(404, 'unknown request')
    }
  }

  return listenHttp(options, async (asked) => {
    const { path, response } = asked
    const allowed = hasAccess(asked, options.accessHash)
    const isStatus = path === '/stats' || path === '/jsonstats'
    if (!isStatus && !path.startsWith('/request/')) return sendJson(response, 404, { error: 'not found' })
    if (!allowed && !(isStatus && isLoopback(options.host)))
      return sendJson(response, 403, { error: 'the access hash of the key file is needed: ?access_hash=' })
    if (path === '/jsonstats') return sendJson(response, 200, await stats())
    if (path === '/stats') return sendText(response, 200, 'text/html; charset=utf-8', statsPage('Cocoon worker', await stats()))
    return change(asked)
  })
}
