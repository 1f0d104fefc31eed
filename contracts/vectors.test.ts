import { createHash } from 'node:crypto'
import { Address, beginCell, Cell, loadMessage } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { notRun, ran as ranCase } from '../main/protocol/testing/vector-runs.ts'
import { hex } from './cells.ts'
import {
  CLIENT_OPS,
  clientChangeSecret,
  clientIncreaseStake,
  clientInit,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  clientWithdraw,
  parseClientState,
} from './client.ts'
import { cocoonWalletBody, cocoonWalletExternal, cocoonWalletInit, parseCocoonWalletState } from './cocoon-wallet.ts'
import { type Params, parseParams, storeParams } from './params.ts'
import { parseProxyMessage, parseProxyState, proxyInit, proxyOwnerClose, proxyPayoutRequest, stateCommitMemo } from './proxy.ts'
import { parseRootState } from './root.ts'
import {
  keySigner,
  parseSigned,
  publicKeyOfSeed,
  refuseSigned,
  repackSigned,
  type SignedKind,
  signedBoc,
  signMessage,
} from './signed.ts'
import golden from './vectors/contracts.json' with { type: 'json' }
import { COCOON_WALLET_CODE_HASH, cocoonWalletCode } from './wallet-code.ts'
import { parseWorkerState, workerInit } from './worker.ts'

const file = 'contracts/contracts'
const QUERY_ID = 0x1122334455667788n
const addressOf = (entry: { raw: string }) => Address.parseRaw(entry.raw)
const unhex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const cellOf = (entry: { boc_hex: string }) => Cell.fromHex(entry.boc_hex)
const hashOf = (cell: Cell) => cell.hash().toString('hex').toUpperCase()

const owner = addressOf(golden.inputs.owner_address)
const rootAddress = addressOf(golden.inputs.root_contract_address)
const seeds = {
  proxy: unhex(golden.inputs.keys.proxy.private_key_seed_hex),
  worker: unhex(golden.inputs.keys.worker.private_key_seed_hex),
  client: unhex(golden.inputs.keys.client.private_key_seed_hex),
}
const proxyKey = publicKeyOfSeed(seeds.proxy)

type Variant = (typeof golden.variants)[number]

function paramsOf(variant: Variant): Params {
  const config = variant.root_config
  return {
    structVersion: config.struct_version,
    paramsVersion: config.params_version,
    uniqueId: config.unique_id,
    isTest: config.is_test,
    pricePerToken: BigInt(config.price_per_token),
    workerFeePerToken: BigInt(config.worker_fee_per_token),
    multipliers: {
      prompt: config.prompt_tokens_price_multiplier,
      cached: config.cached_tokens_price_multiplier,
      completion: config.completion_tokens_price_multiplier,
      reasoning: config.reasoning_tokens_price_multiplier,
    },
    proxyDelaySec: config.proxy_delay_before_close,
    clientDelaySec: config.client_delay_before_close,
    minProxyStake: BigInt(config.min_proxy_stake),
    minClientStake: BigInt(config.min_client_stake),
    codes: {
      proxy: cellOf(variant.proxy_contract.code),
      worker: cellOf(variant.worker_contract.code),
      client: cellOf(variant.client_contract_owner_is_owner_address.code),
    },
  }
}

const kinds: Record<string, SignedKind> = {
  client_charge: 'client-charge',
  client_refund_grant: 'client-grant-refund',
  worker_payout: 'worker-payout',
  worker_last_payout: 'worker-last-payout',
}

/** Messages that the reference's own contracts refuse; ours are different on purpose. */
const differing = new Set(['client_increase_stake_2000000000', 'proxy_close', 'client_top_up_reopen_1500000000'])

it('has the golden cases that this file was written for', () => {
  expect(golden.variants.map((variant) => variant.root_config.struct_version)).toEqual([0, 1, 2, 3])
  expect(golden.variants.reduce((sum, variant) => sum + variant.signed_payments.length, 0)).toBe(48)
  expect(golden.variants.reduce((sum, variant) => sum + variant.signed_payment_negative.length, 0)).toBe(16)
  expect(golden.variants.reduce((sum, variant) => sum + Object.keys(variant.messages).length - 1, 0)).toBe(40)
  expect(golden.variants.reduce((sum, variant) => sum + variant.wallet_external.length, 0)).toBe(8)
  expect(cocoonWalletCode.hash().toString('hex')).toBe(COCOON_WALLET_CODE_HASH)
})

for (const [v, variant] of golden.variants.entries()) {
  describe(`struct version ${variant.root_config.struct_version}`, () => {
    const ran = (name: string): void => ranCase(file, `variant ${v}: ${name}`)
    const params = paramsOf(variant)
    const proxy = proxyInit({ owner, publicKey: proxyKey, root: rootAddress, params })
    const clientWallet = cocoonWalletInit(publicKeyOfSeed(seeds.client), owner)
    const proxyWallet = cocoonWalletInit(proxyKey, owner)

    it('writes and reads every form of the params cell', () => {
      expect(hashOf(storeParams(params, 'root'))).toBe(variant.params_cells.root_all_codes_mask7.hash)
      expect(hashOf(storeParams(params, 'proxy'))).toBe(variant.params_cells.proxy_mask6_worker_and_client_code.hash)
      expect(hashOf(storeParams(params, 'plain'))).toBe(variant.params_cells.worker_mask0.hash)
      expect(hashOf(storeParams(params, 'plain'))).toBe(variant.params_cells.client_mask0.hash)
      const back = parseParams(cellOf(variant.params_cells.root_all_codes_mask7))
      expect({ ...back, codes: null }).toEqual({ ...params, codes: null })
      expect(storeParams(back, 'root').hash()).toEqual(storeParams(params, 'root').hash())
      for (const name of Object.keys(variant.params_cells)) ran(`params_cells.${name}`)
    })

    it('derives the proxy, worker and client contracts', () => {
      const common = { proxy: proxy.address, publicKey: proxyKey, params }
      const cases = [
        [proxy, variant.proxy_contract],
        [workerInit({ ...common, owner }), variant.worker_contract],
        [clientInit({ ...common, owner: clientWallet.address }), variant.client_contract_owner_is_client_cocoon_wallet],
        [clientInit({ ...common, owner }), variant.client_contract_owner_is_owner_address],
      ] as const
      for (const [made, expected] of cases) {
        expect(hashOf(made.init.data)).toBe(expected.init_data.hash)
        expect(made.address.equals(addressOf(expected.address))).toBe(true)
      }
      expect(parseProxyState(proxy.init.data)).toMatchObject({ state: 'normal', balance: 0n, stake: 0n, publicKey: proxyKey })
      expect(parseWorkerState(cellOf(variant.worker_contract.init_data))).toMatchObject({ state: 'normal', tokens: 0n })
      const client = parseClientState(cellOf(variant.client_contract_owner_is_owner_address.init_data))
      expect(client).toMatchObject({ state: 'normal', stake: params.minClientStake, tokensUsed: 0n, publicKey: proxyKey })
      expect(client.proxy.equals(proxy.address)).toBe(true)
      for (const name of [
        'proxy_contract',
        'worker_contract',
        'client_contract_owner_is_client_cocoon_wallet',
        'client_contract_owner_is_owner_address',
      ])
        ran(name)
    })

    it('derives the three wallets', () => {
      for (const role of ['proxy', 'worker', 'client'] as const) {
        const made = cocoonWalletInit(publicKeyOfSeed(seeds[role]), owner)
        expect(made.address.equals(addressOf(variant.cocoon_wallets[role].address))).toBe(true)
        expect(hashOf(made.init.data)).toBe(variant.cocoon_wallets[role].init_data.hash)
        expect(parseCocoonWalletState(made.init.data)).toMatchObject({ seqno: 0, subwallet: 0, blocked: false })
        ran(`cocoon_wallets.${role}`)
      }
    })

    it('reads the root contract', () => {
      const { parsed } = variant.root_contract_state
      const state = parseRootState(cellOf(variant.root_contract_state.state))
      expect({ ...state.params, codes: null }).toEqual({ ...params, codes: null })
      expect(state.owner.equals(addressOf(parsed.owner))).toBe(true)
      expect([state.version, state.lastProxySeqno]).toEqual([parsed.version, parsed.last_proxy_seqno])
      const sets = [state.proxyHashes, state.workerHashes, state.modelHashes].map((set) =>
        [...set].map((text) => text.toUpperCase()),
      )
      expect(sets).toEqual([parsed.proxy_hashes, parsed.worker_hashes, parsed.model_hashes])
      expect(
        state.proxies.map(({ seqno, forWorkers, forClients }) => ({
          seqno,
          for_workers: `[${forWorkers.host}:${forWorkers.port}]`,
          for_clients: `[${forClients.host}:${forClients.port}]`,
        })),
      ).toEqual(parsed.proxies)
      expect(state.unreadableProxies).toEqual([])
      ran('root_contract_state')
    })

    it('signs, parses, verifies and repacks every payment', () => {
      for (const [i, entry] of variant.signed_payments.entries()) {
        const kind = kinds[entry.kind]
        if (kind === undefined) throw new Error(`unknown kind ${entry.kind}`)
        const boc = unhex(entry.signed_message.boc_hex)
        const message = parseSigned(boc)
        expect(message.payload).toMatchObject({ kind, tokens: BigInt(entry.tokens) })
        expect(hashOf(message.payloadCell)).toBe(entry.inner_message.hash)
        if (entry.query_id !== undefined) expect(message.payload.queryId).toBe(BigInt(`0x${entry.query_id}`))
        if (entry.signature_hex !== undefined) expect(hex(message.signature)).toBe(entry.signature_hex)
        const contract = addressOf(entry.contract)
        expect(refuseSigned(message, { kinds: [kind], contract, publicKey: proxyKey })).toBeNull()
        const signed = signMessage(message.payload, proxyWallet.address, keySigner(seeds.proxy))
        expect(hashOf(signed)).toBe(entry.signed_message.hash)
        expect(signedBoc(signed)).toEqual(boc)
        if (entry.repacked_by_client_for_sending !== undefined) {
          expect(hashOf(repackSigned(message, clientWallet.address))).toBe(entry.repacked_by_client_for_sending.hash)
        }
        if (entry.repacked_by_worker_for_sending !== undefined) {
          const workerWallet = cocoonWalletInit(publicKeyOfSeed(seeds.worker), owner)
          expect(hashOf(repackSigned(message, workerWallet.address))).toBe(entry.repacked_by_worker_for_sending.hash)
        }
        ran(`signed_payments ${i}`)
      }
    })

    it('refuses the negative cases', () => {
      const client = addressOf(variant.client_contract_owner_is_client_cocoon_wallet.address)
      const other = addressOf(variant.client_contract_owner_is_owner_address.address)
      const refusals = variant.signed_payment_negative.map((entry) =>
        refuseSigned(parseSigned(cellOf(entry)), {
          kinds: ['client-charge'],
          contract: entry.case.includes('another client contract') ? other : client,
          publicKey: proxyKey,
        }),
      )
      expect(refusals).toEqual(['signature', 'contract', 'kind', 'kind'])
      for (const i of refusals.keys()) ran(`signed_payment_negative ${i}`)
    })

    it('builds the message bodies of the reference', () => {
      const messages = variant.messages
      const envelope = { queryId: QUERY_ID, excesses: clientWallet.address }
      const secretHash = new Uint8Array(createHash('sha256').update('my-secret').digest())
      expect(hashOf(clientRegister(envelope, 0x0102030405060708n))).toBe(messages.client_register_nonce_0x0102030405060708.hash)
      expect(hashOf(clientChangeSecret(envelope, secretHash))).toBe(
        messages['client_change_secret_hash_sha256_of_my-secret'].hash,
      )
      expect(hashOf(clientTopUp(envelope, 1_500_000_000n))).toBe(messages.client_top_up_1500000000.hash)
      expect(hashOf(clientRequestRefund(envelope))).toBe(messages.client_request_refund.hash)
      expect(hashOf(clientWithdraw(envelope))).toBe(messages.client_withdraw.hash)
      expect(hashOf(proxyPayoutRequest(envelope))).toBe(messages.proxy_withdraw_from_proxy_contract.hash)
      const memo = cellOf(messages.proxy_save_state_seqno_9_random_query_id)
      const commit = parseProxyMessage(memo)
      if (commit?.kind !== 'state-commit') throw new Error('not a state commit')
      expect(commit.seqno).toBe(9)
      expect(hashOf(stateCommitMemo(commit))).toBe(hashOf(memo))
      for (const name of Object.keys(messages)) if (name !== 'note' && !differing.has(name)) ran(`messages.${name}`)
    })

    it('differs from the reference in the two messages that its own contracts refuse', () => {
      const messages = variant.messages
      const envelope = { queryId: QUERY_ID, excesses: clientWallet.address }
      // The reference forgets the new stake, and the query id of the owner's close.
      const stake = cellOf(messages.client_increase_stake_2000000000).beginParse()
      const withStake = beginCell().storeBits(stake.loadBits(96)).storeCoins(2_000_000_000n).storeSlice(stake).endCell()
      expect(clientIncreaseStake(envelope, 2_000_000_000n).equals(withStake)).toBe(true)
      const close = cellOf(messages.proxy_close).beginParse()
      const withId = beginCell().storeBits(close.loadBits(32)).storeUint(QUERY_ID, 64).storeSlice(close).endCell()
      expect(proxyOwnerClose(envelope).equals(withId)).toBe(true)
      // Declared, but no contract implements it; only the number is ours.
      expect(cellOf(messages.client_top_up_reopen_1500000000).beginParse().loadUint(32)).toBe(CLIENT_OPS.topUpReopen)
      for (const name of differing) ran(`messages.${name}`)
    })

    it('signs the wallet messages of the reference', () => {
      for (const [i, entry] of variant.wallet_external.entries()) {
        const expected = cellOf(entry.external_message)
        const message = loadMessage(expected.beginParse())
        const slice = message.body.beginParse()
        slice.skip(512 + 32)
        const order = { validUntilSec: slice.loadUint(32), seqno: slice.loadUint(32) }
        const transfers = [{ mode: slice.loadUint(8), message: slice.loadRef() }]
        slice.endParse()
        const body = cocoonWalletBody({ ...order, transfers }, keySigner(seeds.client))
        expect(hashOf(body)).toBe(entry.signed_body.hash)
        const init = message.init ? clientWallet.init : undefined
        expect(init === undefined).toBe(order.seqno === 7)
        const [made] = Cell.fromBoc(Buffer.from(cocoonWalletExternal(clientWallet.address, body, init)))
        expect(made?.equals(expected)).toBe(true)
        ran(`wallet_external ${i}`)
      }
    })
  })
}

it('ran whole', () => expect(notRun(file)).toEqual([]))
