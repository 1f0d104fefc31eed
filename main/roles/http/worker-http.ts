import { createHash } from 'node:crypto'
import type { Address } from '@ton/core'
import { asError } from '../../base/failure.ts'
import {
  type Asked,
  type HttpPlace,
  isLoopback,
  type Listener,
  listenHttp,
  sendJson,
  sendText,
} from '../../base/http-listener.ts'
import type { Logger } from '../../base/logger.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { jsonNumber, rootJson } from '../../ton/root-json.ts'
import { version } from '../../version.ts'
import type { Worker } from '../../worker/worker.ts'
import { type RoleWallet, walletStats } from '../role-wallet.ts'
import type { WorkerMeter } from '../worker-meter.ts'
import { hasAccess } from './access.ts'
import { performanceText } from './performance-text.ts'
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
    const { balance, json } = await walletStats(wallet)
    const { connections, running, paused, engineHealthy } = worker.state.value
    return {
      status: {
        wallet_balance: jsonNumber(balance),
        // Whether the network lists them. This software has no image of its own: it is right where none is demanded.
        actual_image_hash: !options.checksHashes,
        actual_model: !options.checksHashes || isListed(modelName, root),
        ton_last_synced_at: Math.floor((root?.readAtMs ?? 0) / 1000),
        enabled: !paused && engineHealthy,
        running_queries: running,
        git_commit: version,
        git_commit_data: '',
      },
      stats: meter.values(),
      wallet: json,
      localconfig: {
        root_address: root?.address.toString() ?? '',
        owner_address: owner.toString({ bounceable: false }),
        model: modelName,
        coefficient: options.coefficient(),
        check_proxy_hash: options.checksHashes,
        check_image_hashes: options.checksHashes,
      },
      root_contract_config: root === null ? {} : rootJson(root, String),
      proxy_connections: connections.map((one) => ({
        address: one.endpoint,
        is_ready: one.phase === 'ready',
        proxy_sc_address: one.proxyContract?.toString() ?? '',
      })),
      proxies: await Promise.all(worker.contracts().map(contractStats)),
    }
  }

  const contractStats = async (record: ReturnType<Worker['contracts']>[number]): Promise<Record<string, unknown>> => {
    const { money } = options.wallet
    // Without a chain there is nothing to deploy; while it does not answer it counts as not seen.
    const account = await money?.chain.account(record.contract).catch(() => undefined)
    const { tokens, underWay } = worker.paidOut(record.contract)
    return {
      sc_inited: money === undefined || account?.status === 'active',
      proxy_sc_address: record.proxyContract.toString(),
      proxy_public_key: Buffer.from(record.proxyKey).toString('hex'),
      sc_address: record.contract.toString(),
      earned_tokens_committed_to_blockchain: jsonNumber(record.signedTokens),
      earned_tokens_committed_to_proxy_db: jsonNumber(record.dbTokens),
      earned_tokens_max_known: jsonNumber(record.maxTokens),
      cached_out_tokens: jsonNumber(tokens),
      expected_cached_out_tokens: jsonNumber(underWay ? record.signedTokens : tokens),
      running_request: underWay,
      params_version: record.paramsVersion,
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
    const isStatus = path === '/stats' || path === '/jsonstats' || path === '/perf'
    if (!isStatus && !path.startsWith('/request/')) return sendJson(response, 404, { error: 'not found' })
    if (!allowed && !(isStatus && isLoopback(options.host)))
      return sendJson(response, 403, { error: 'the access hash of the key file is needed: ?access_hash=' })
    if (path === '/jsonstats') return sendJson(response, 200, await stats())
    if (path === '/perf') return sendText(response, 200, 'text/plain', performanceText())
    if (path === '/stats') return sendText(response, 200, 'text/html; charset=utf-8', statsPage('Cocoon worker', await stats()))
    return change(asked)
  })
}

function isListed(modelName: string, root: RootConfig | null): boolean {
  return root?.modelHashes.has(createHash('sha256').update(modelName).digest('hex')) === true
}
