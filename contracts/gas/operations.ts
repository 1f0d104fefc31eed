import { Cell, internal, toNano } from '@ton/core'
import {
  clientChangeSecret,
  clientChangeSecretAndTopUp,
  clientIncreaseStake,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  clientWithdraw,
} from '../client.ts'
import { cocoonWalletBody, walletOwnerSend, walletOwnerText } from '../cocoon-wallet.ts'
import { contractCode } from '../code.ts'
import type { Params } from '../params.ts'
import { proxyIncreaseStake, proxyOwnerClose, proxyPayoutRequest, proxyText, stateCommitMemo } from '../proxy.ts'
import { addressOf, keyOf } from '../random/account.ts'
import { externalParcel, type Step } from '../random/ledger.ts'
import { type RootRequest, rootRequest } from '../root.ts'
import { signKeyRegistration } from '../root-keys.ts'
import { workerRegister } from '../worker.ts'
import { GAS_PARAMS, type Stage, someHash } from './stage.ts'

/** An operation whose cost is measured: `before` brings the stage to where it is possible. */
export interface Measured {
  readonly name: string
  /** Other terms than the usual. */
  readonly params?: Params
  readonly before: (stage: Stage) => Promise<unknown>
  readonly run: (stage: Stage) => Promise<Step[]>
}

const TON = toNano('1')
const VALUE = toNano('0.7')
const envelope = (stage: Stage) => ({ queryId: 1n, excesses: addressOf(stage.stranger) })

/** A proxy with stake and commission, a client with 30 TON of which a little is charged, a worker that was paid once. */
async function running(stage: Stage) {
  await stage.send(stage.owner, stage.proxy, toNano('2.5'), proxyIncreaseStake(envelope(stage), toNano('2')))
  await stage.send(stage.owner, stage.client, toNano('30.7'), clientTopUp(envelope(stage), toNano('30')))
  await stage.send(stage.owner, stage.client, VALUE, stage.signed('client-charge', 1_000_000n))
  await stage.send(stage.owner, stage.worker, VALUE, stage.signed('worker-payout', 500_000n))
}

async function closing(stage: Stage) {
  await running(stage)
  await stage.send(stage.owner, stage.proxy, VALUE, proxyOwnerClose(envelope(stage)))
  await stage.send(stage.owner, stage.client, VALUE, clientRequestRefund(envelope(stage)))
  stage.ledger.nowSec += 61
}

const client = (name: string, body: (stage: Stage) => Cell, value = VALUE, before = running): Measured => ({
  name: `client: ${name}`,
  before,
  run: (stage) => stage.send(stage.owner, stage.client, value, body(stage), false),
})
const proxy = (name: string, body: (stage: Stage) => Cell, value = VALUE, before = running): Measured => ({
  name: `proxy: ${name}`,
  before,
  run: (stage) => stage.send(stage.owner, stage.proxy, value, body(stage), false),
})
const worker = (name: string, body: (stage: Stage) => Cell, before = running): Measured => ({
  name: `worker: ${name}`,
  before,
  run: (stage) => stage.send(stage.owner, stage.worker, VALUE, body(stage), false),
})

/** A root contract with some hashes and proxies in its lists. */
async function listed(stage: Stage) {
  await stage.send(stage.owner, stage.root, TON, Cell.EMPTY)
  for (const name of ['a', 'b', 'c']) {
    const hash = someHash(name)
    for (const op of ['addWorkerHash', 'addModelHash', 'addProxyHash'] as const) await ask(stage, { op, hash })
    await ask(stage, { op: 'registerProxy', endpoints })
  }
}

const at = { host: '10.0.0.1', port: 8888 }
const endpoints = { forWorkers: at, forClients: { host: '10.0.0.1', port: 8889 } }
const ask = (stage: Stage, request: RootRequest) => stage.send(stage.owner, stage.root, VALUE, rootRequest(1n, request), false)
const root = (request: RootRequest): Measured => ({
  name: `root: ${request.op}`,
  before: listed,
  run: (stage) => ask(stage, request),
})

const NEWER: Params = { ...GAS_PARAMS, structVersion: 5 }
/** A root contract of struct version 5 with a key manager. */
const newerRoot = (request: RootRequest): Measured => ({ ...root(request), params: NEWER })

async function funded(stage: Stage) {
  await stage.send(stage.owner, stage.wallet, toNano('10'), Cell.EMPTY)
}

/** One external order of a node's wallet with so many transfers. */
function order(count: number): Measured {
  return {
    name: `wallet: order with ${count} transfer${count === 1 ? '' : 's'}`,
    before: funded,
    run: (stage) => {
      const message = internal({ to: addressOf(stage.stranger), value: toNano('0.1'), bounce: false })
      const transfers = Array.from({ length: count }, () => ({ message }))
      const body = cocoonWalletBody({ seqno: 0, validUntilSec: stage.ledger.nowSec + 60, transfers }, stage.signer.sign)
      stage.ledger.push(externalParcel(keyOf(stage.wallet.address), body, null))
      return stage.settle()
    },
  }
}

const walletSays = (name: string, body: (stage: Stage) => Cell): Measured => ({
  name: `wallet: ${name}`,
  before: funded,
  run: (stage) => stage.send(stage.owner, stage.wallet, VALUE, body(stage), false),
})

const { proxy: proxyCode, worker: workerCode, client: clientCode } = GAS_PARAMS.codes
if (proxyCode === null || workerCode === null || clientCode === null) throw new Error('no code to measure')

/** Prices for the three that are compared with figures of others. */
export const MAIN = ['client: top up', 'client: charge', 'worker: payout'] as const

export const MEASURED: readonly Measured[] = [
  {
    name: 'client: first top up, deploying',
    before: async (stage) => stage.send(stage.owner, stage.proxy, TON, proxyIncreaseStake(envelope(stage), 0n)),
    run: (stage) => stage.send(stage.owner, stage.client, toNano('5.7'), clientTopUp(envelope(stage), toNano('5'))),
  },
  client('top up', (stage) => clientTopUp(envelope(stage), toNano('5')), toNano('5.7')),
  client(
    'change secret and top up',
    (stage) => clientChangeSecretAndTopUp(envelope(stage), someHash('s'), toNano('5')),
    toNano('5.7'),
  ),
  client('change secret', (stage) => clientChangeSecret(envelope(stage), someHash('s'))),
  client('register', (stage) => clientRegister(envelope(stage), 5n)),
  client('increase stake', (stage) => clientIncreaseStake(envelope(stage), toNano('20'))),
  client('withdraw', (stage) => clientWithdraw(envelope(stage))),
  client('request refund, first', (stage) => clientRequestRefund(envelope(stage))),
  client('request refund, second', (stage) => clientRequestRefund(envelope(stage)), VALUE, closing),
  client('charge', (stage) => stage.signed('client-charge', 2_000_000n)),
  client('grant refund', (stage) => stage.signed('client-grant-refund', 2_000_000n)),
  client('top up at a closing proxy, returned', (stage) => clientTopUp(envelope(stage), toNano('5')), toNano('5.7'), closing),
  {
    name: 'worker: first payout, deploying',
    before: async (stage) => {
      await stage.send(stage.owner, stage.proxy, toNano('2.5'), proxyIncreaseStake(envelope(stage), toNano('2')))
    },
    run: (stage) => stage.send(stage.owner, stage.worker, VALUE, stage.signed('worker-payout', 500_000n)),
  },
  worker('payout', (stage) => stage.signed('worker-payout', 900_000n)),
  worker('last payout', (stage) => stage.signed('worker-last-payout', 900_000n)),
  worker('payout that the proxy cannot pay', (stage) => stage.signed('worker-payout', 1_000_000_000_000n)),
  worker('register', (stage) => workerRegister(envelope(stage))),
  proxy('payout request', (stage) => proxyPayoutRequest(envelope(stage))),
  proxy('increase stake', (stage) => proxyIncreaseStake(envelope(stage), TON), toNano('1.7')),
  proxy('owner close', (stage) => proxyOwnerClose(envelope(stage))),
  proxy('text w', () => proxyText('w')),
  proxy('text c', () => proxyText('c')),
  proxy('close request', (stage) => stage.signed('proxy-close-request', 0n)),
  proxy('close complete', (stage) => stage.signed('proxy-close-complete', 0n), VALUE, closing),
  proxy('state commit memo', () => stateCommitMemo({ queryId: 1n, seqno: 7, sessionHash: someHash('session') })),
  root({ op: 'addWorkerHash', hash: someHash('new') }),
  root({ op: 'delWorkerHash', hash: someHash('a') }),
  root({ op: 'addModelHash', hash: someHash('new') }),
  root({ op: 'delModelHash', hash: someHash('a') }),
  root({ op: 'addProxyHash', hash: someHash('new') }),
  root({ op: 'delProxyHash', hash: someHash('a') }),
  root({ op: 'registerProxy', endpoints }),
  root({ op: 'unregisterProxy', seqno: 2 }),
  root({ op: 'updateProxy', seqno: 2, endpoints }),
  root({ op: 'changePrice', pricePerToken: 30n, workerFeePerToken: 20n }),
  root({
    op: 'changeParams',
    pricePerToken: 30n,
    workerFeePerToken: 20n,
    proxyDelaySec: 600,
    clientDelaySec: 300,
    minProxyStake: TON,
    minClientStake: TON,
  }),
  root({ op: 'upgradeContracts', proxy: proxyCode, worker: workerCode, client: clientCode }),
  root({ op: 'reset' }),
  root({ op: 'changeOwner', owner: addressOf(someHash('owner').toString('hex')) }),
  root({ op: 'upgradeCode', code: contractCode.root }),
  {
    name: 'root: fullUpgrade',
    before: listed,
    run: (stage) => ask(stage, { op: 'fullUpgrade', data: stage.root.init.data, code: contractCode.root }),
  },
  newerRoot({ op: 'addPublicKey', publicKey: someHash('new'), type: 1, expiresAtSec: 1_900_000_000 }),
  newerRoot({ op: 'changeKeyManager', publicKey: someHash('other'), imageHash: someHash('image'), endpoints: null }),
  {
    name: 'root: key registration, signed',
    params: NEWER,
    before: listed,
    run: (stage) => {
      const entry = { queryId: 1n, publicKey: someHash('new'), type: 1, expiresAtSec: 1_900_000_000 }
      const body = signKeyRegistration(entry, addressOf(stage.stranger), stage.signer.sign)
      return stage.send(stage.stranger, stage.root, VALUE, body, false)
    },
  },
  order(1),
  order(4),
  walletSays('owner sends', (stage) =>
    walletOwnerSend(1n, { message: internal({ to: addressOf(stage.stranger), value: TON, bounce: false }) }),
  ),
  walletSays('text b', () => walletOwnerText('b')),
  walletSays('text w', () => walletOwnerText('w')),
]
