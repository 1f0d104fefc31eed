import type { Receipt, ReceiptAttestation } from '../../preload/api/receipt.ts'
import { receiptSeal } from '../../preload/api/seal.ts'
import type { AccountRecord } from '../client/account-store.ts'
import type { Client } from '../client/client.ts'
import type { QueryEnd } from '../client/running-query.ts'
import type { SealOutcome } from '../protocol/sealed/outcome.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { digestOf, paramsText } from './verify/receipt.ts'

/** How long the proxy may take to account for an answer. */
const mostWaitMs = 15_000

export interface Answered {
  readonly requestId: string
  /** hex */
  readonly requestSha256: string
  readonly responseSha256: string
  readonly model: string
  readonly end: QueryEnd
  readonly seal: SealOutcome
  /** Of the machines that it came through; none when left out. Never rejects. */
  readonly attestation?: Promise<ReceiptAttestation> | undefined
}

/**
 * Begins to listen for the proxy's account of answers; call it before the question is sent. The function that it gives back makes the receipt of one
 * answer once that account came; undefined when it did not come, or the answer cost nothing that is known.
 */
export function receiptMaker(client: Client, root: () => RootConfig | null, chain: Chain['kind']) {
  const told = new Map<string, { contract: string; record: AccountRecord | undefined }>()
  let wake: () => void = () => undefined
  const stop = client.events.on((event) => {
    if (event.type !== 'charged') return
    const config = root()
    const records = config === null ? [] : client.accounts.list(config.address)
    told.set(event.requestId, {
      contract: event.clientContract,
      record: records.find(({ contract }) => contract.toString() === event.clientContract),
    })
    wake()
  })
  const accountOf = async (requestId: string): Promise<AccountRecord | undefined> => {
    const known = told.get(requestId)
    if (known) return known.record
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, mostWaitMs)
      timer.unref()
      wake = () => {
        if (!told.has(requestId)) return
        clearTimeout(timer)
        resolve()
      }
    })
    return told.get(requestId)?.record
  }
  return {
    stop,
    make: async (answered: Answered): Promise<Receipt | undefined> => {
      // Not when its account came, which may be after that of a later answer.
      const answeredAtMs = Date.now()
      try {
        const { tokens } = answered.end
        const record = tokens && (await accountOf(answered.requestId))
        const config = root()
        const attestation = (await answered.attestation) ?? 'none'
        return record && config
          ? receiptFrom({ ...answered, answeredAtMs, attestation }, tokens, record, config, chain)
          : undefined
      } finally {
        stop()
      }
    },
  }
}

function receiptFrom(
  {
    requestId,
    requestSha256,
    responseSha256,
    model,
    answeredAtMs,
    seal,
    attestation,
  }: Omit<Answered, 'attestation'> & Pick<Receipt, 'answeredAtMs' | 'attestation'>,
  tokens: NonNullable<QueryEnd['tokens']>,
  record: AccountRecord,
  root: RootConfig,
  network: Chain['kind'],
): Receipt {
  const { pricePerToken } = record.params
  const block = root.source?.block?.seqno
  return sealed({
    kind: 'cocoon-receipt',
    version: 1,
    requestId,
    requestSha256,
    responseSha256,
    model,
    answeredAtMs,
    tokens: {
      prompt: String(tokens.prompt),
      cached: String(tokens.cached),
      completion: String(tokens.completion),
      reasoning: String(tokens.reasoning),
      total: String(tokens.total),
    },
    pricePerToken: String(pricePerToken),
    cost: String(tokens.total * pricePerToken),
    totalAfter: String(record.maxTokens),
    contract: {
      address: record.contract.toString(),
      owner: record.owner.toString(),
      proxy: record.proxyContract.toString(),
      proxyKey: Buffer.from(record.proxyKey).toString('hex'),
      params: paramsText(record.params),
    },
    signed: signedOf(record),
    seal: receiptSeal.parse(seal),
    attestation,
    chain: {
      network,
      root: root.address.toString(),
      rootVersion: root.version,
      readAtMs: root.readAtMs,
      ...(root.source && { endpoint: root.source.endpoint }),
      ...(block !== undefined && { block }),
    },
  })
}

/** The same receipt with the newest payment that the proxy signed for its contract: a later total covers it too. */
export function renewed(receipt: Receipt, records: readonly AccountRecord[]): Receipt {
  const record = records.find(({ contract }) => contract.toString() === receipt.contract.address)
  const signed = record && signedOf(record)
  if (!signed || BigInt(signed.tokens) <= BigInt(receipt.signed?.tokens ?? 0)) return receipt
  const { digest: _, ...rest } = receipt
  return sealed({ ...rest, signed })
}

const sealed = (receipt: Omit<Receipt, 'digest'>): Receipt => ({ ...receipt, digest: digestOf(receipt) })

const signedOf = ({ signedBoc, signedTokens }: AccountRecord): Receipt['signed'] =>
  signedBoc === null ? null : { tokens: String(signedTokens), boc: Buffer.from(signedBoc).toString('base64') }

/** Receipts of the answers to one question as a file for `cocoon-desktop verify`, named after the newest. */
export function receiptFile(all: readonly Receipt[]): { fileName: string; json: string } {
  const newest = all.at(-1)
  const file = all.length === 1 ? newest : { kind: 'cocoon-receipts', version: 1, receipts: all }
  return { fileName: `cocoon-receipt-${newest?.requestId.slice(0, 12)}.json`, json: `${JSON.stringify(file, null, 2)}\n` }
}
