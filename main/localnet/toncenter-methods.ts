import { Address } from '@ton/core'
import { z } from 'zod'
import { asError, Failure } from '../base/failure.ts'
import type { Machine } from './machine.ts'
import { addressInformation, blockId, hashBytes, masterchainInfo, transactionAnswer, transactionId } from './toncenter-answer.ts'
import { readArgument, stackArgument, writeItem } from './toncenter-stack.ts'

/** Transactions that one answer carries at most. */
const longestList = 100
/** Base64 of the longest external message that TON takes (64 KiB), with room. */
const longestBoc = 100_000

const address = z
  .string()
  .max(80)
  .transform((text, context) => {
    try {
      return Address.parse(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'not an address' })
      return z.NEVER
    }
  })
const lt = z
  .union([z.string().regex(/^\d{1,19}$/), z.number().int().nonnegative()])
  .transform((value) => BigInt(value))
  .refine((value) => value < 1n << 63n)

const transactionsInput = z.object({
  address,
  limit: z.number().int().min(1).default(10),
  lt: lt.optional(),
  /** Hex or base64. */
  hash: z.string().max(64).optional(),
  to_lt: lt.optional(),
  archival: z.boolean().optional(),
})

/** A call that cannot be served: HTTP status and text as toncenter gives them. */
export class RefusedCall extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'RefusedCall'
    this.status = status
  }
}

/** Result of one method of the toncenter API, second version. Throws `RefusedCall` only. */
export async function callMethod(machine: Machine, method: string, params: unknown): Promise<unknown> {
  try {
    switch (method) {
      case 'getMasterchainInfo':
        return masterchainInfo(machine.head)
      case 'getAddressInformation': {
        const input = parse(z.object({ address }), params)
        return addressInformation(machine.account(input.address), machine.head)
      }
      case 'getAddressBalance': {
        const input = parse(z.object({ address }), params)
        return (machine.account(input.address)?.account?.storage.balance.coins ?? 0n).toString()
      }
      case 'getTransactions':
        return transactions(machine, parse(transactionsInput, params))
      case 'runGetMethod':
        return await getter(machine, params)
      case 'sendBoc':
      case 'sendBocReturnHash':
        return await send(machine, method, params)
      default:
        throw new RefusedCall(404, 'unknown method')
    }
  } catch (thrown) {
    if (thrown instanceof RefusedCall) throw thrown
    if (thrown instanceof Failure) throw new RefusedCall(500, `LITE_SERVER_UNKNOWN: ${thrown.message}`)
    throw new RefusedCall(500, `internal error: ${asError(thrown).message}`)
  }
}

function transactions(machine: Machine, input: z.infer<typeof transactionsInput>): unknown[] {
  const stored = machine.transactions(input.address, Math.min(input.limit, longestList), input.lt)
  const [first] = stored
  if (input.lt !== undefined) {
    const asked = input.hash === undefined ? undefined : readHash(input.hash)
    if (first === undefined || first.lt !== input.lt || (asked !== undefined && !asked.equals(first.hash))) {
      throw new RefusedCall(500, 'LITE_SERVER_UNKNOWN: cannot locate transaction in block with specified logical time')
    }
  }
  const toLt = input.to_lt ?? 0n
  return stored.filter((one) => one.lt > toLt).map((one) => transactionAnswer(input.address, one))
}

async function getter(machine: Machine, params: unknown): Promise<unknown> {
  const input = parse(
    z.object({
      address,
      method: z.union([z.string().min(1).max(128), z.number().int()]),
      stack: z.array(stackArgument).max(64).default([]),
    }),
    params,
  )
  let stack: ReturnType<typeof readArgument>[]
  try {
    stack = input.stack.map(readArgument)
  } catch (thrown) {
    throw new RefusedCall(422, `stack: ${asError(thrown).message}`)
  }
  const result = await machine.runGetter(input.address, input.method, stack)
  const account = machine.account(input.address)
  return {
    '@type': 'smc.runResult',
    gas_used: result.gasUsed,
    stack: result.stack.map(writeItem),
    exit_code: result.exitCode,
    block_id: blockId(machine.head),
    last_transaction_id: transactionId(account?.lastTransactionLt ?? 0n, hashBytes(account?.lastTransactionHash ?? 0n)),
  }
}

async function send(machine: Machine, method: string, params: unknown): Promise<unknown> {
  const input = parse(z.object({ boc: z.base64().min(4).max(longestBoc) }), params)
  const block = await machine.send(Buffer.from(input.boc, 'base64'))
  if (method === 'sendBoc') return { '@type': 'ok' }
  const hash = block.transactions[0]?.hash ?? new Uint8Array(32)
  return { '@type': 'raw.extMessageInfo', hash: Buffer.from(hash).toString('base64') }
}

function readHash(text: string): Buffer {
  return /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
}

function parse<T>(schema: z.ZodType<T>, params: unknown): T {
  const result = schema.safeParse(params)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new RefusedCall(422, `${issue?.path.join('.') || 'params'}: ${issue?.message ?? 'malformed'}`)
}
