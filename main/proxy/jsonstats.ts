import { hexOf } from '../base/hex.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { jsonNumber, rootJson } from '../ton/root-json.ts'
import type { Exchange } from './exchange.ts'
import type { Instance } from './instance.ts'
import { type RateName, type Rates, rateNames } from './rates.ts'
import { clientSheets } from './status.ts'

/** What the caller has read elsewhere. */
export interface StatsRead {
  /** nanoton of the proxy's wallet and commission in the contract, as last read. */
  readonly walletNano: bigint
  readonly commissionNano: bigint
  readonly version: string
  /** `wallet` of the status, where the proxy has one. */
  readonly wallet?: Record<string, unknown>
}

export interface JsonStatsInput extends StatsRead {
  readonly instance: Instance
  readonly old: readonly Instance[]
  readonly exchange: Exchange
  readonly rates: Rates
  readonly root: RootConfig
  readonly enabled: boolean
  /** Version of the network above which the proxy takes part again; undefined while it does. */
  readonly disabledUntil: number | undefined
  readonly checkHashes: boolean
  readonly nowMs: number
  readonly address: (address: Instance['contract']) => string
}

/** The data of `/jsonstats` (50 §9). Totals above 2^53 are strings, as JSON numbers cannot carry them. */
export function jsonStats(input: JsonStatsInput): Record<string, unknown> {
  const { instance, exchange, rates, root, nowMs, address } = input
  const stats = Object.fromEntries(rateNames.map((name: RateName) => [name, rates[name].values(nowMs)]))
  return {
    status: {
      wallet_balance: jsonNumber(input.walletNano),
      // This software has no image of its own: it is right where none is demanded.
      actual_image_hash: !input.checkHashes,
      ton_last_synced_at: Math.floor(root.readAtMs / 1000),
      enabled: input.enabled,
      ...(input.disabledUntil === undefined ? {} : { disabled_until_version: input.disabledUntil }),
      git_commit: input.version,
      git_commit_data: '',
    },
    stats,
    wallet: input.wallet ?? {},
    localconfig: {
      root_address: address(root.address),
      owner_address: address(instance.identity.owner),
      check_worker_hashes: input.checkHashes,
    },
    smartcontract: {
      address: address(instance.contract),
      params_version: instance.identity.params.paramsVersion,
      balance: jsonNumber(input.commissionNano),
      ready_for_withdraw: jsonNumber(input.commissionNano),
    },
    old_instances: input.old.map((old) => ({
      address: address(old.contract),
      params_version: old.identity.params.paramsVersion,
    })),
    root_contract_config: rootJson(root, address),
    workers: workers(input),
    worker_connections: [...exchange.workers].map((seat) => ({
      owner_address: address(seat.account.owner),
      model: seat.model,
      worker_hash: hexOf(seat.imageHash),
      proto_version: seat.version,
      ...(seat.machine === undefined ? {} : { machine_description_json: seat.machine }),
      coefficient: seat.coefficient,
      running_queries: seat.running.size,
      queries_10m: seat.durations.weight(nowMs),
      queries_time_10m: seat.durations.sum(nowMs) / 1000,
      worker_queries_time_10m: seat.workerDurations.sum(nowMs) / 1000,
      queries_success_10m: seat.successes.weight(nowMs),
      enabled: seat.enabled,
    })),
    clients: clientSheets(instance).map(({ account, contract, available }) => ({
      owner_address: address(account.owner),
      sc_address: address(account.contract),
      used_tokens: jsonNumber(account.max),
      tokens_to_charge: jsonNumber(account.max - contract.used),
      available_tokens: jsonNumber(available),
      reserved_tokens: jsonNumber(account.reserved),
      running_queries: account.running,
      closing: contract.state === 'closing',
      closed: contract.state === 'closed',
    })),
  }
}

function workers({ instance, address }: JsonStatsInput) {
  return [...instance.ledger.accounts]
    .filter((account) => account.kind === 'worker')
    .map((account) => ({
      owner_address: address(account.owner),
      sc_address: address(account.contract),
      earned_tokens: jsonNumber(account.max),
      unpayed_tokens: jsonNumber(account.max - account.settled),
      paying_now: false,
      running_queries: account.running,
    }))
}
