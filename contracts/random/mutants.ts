import { readFileSync } from 'node:fs'
import { Cell } from '@ton/core'
import { runTolkCompiler } from '@ton/tolk-js'
import { contractCode } from '../code.ts'
import { type Codes, Failure, play } from './sequence.ts'
import type { Watch } from './world.ts'

/** A contract with one mistake that the random tester must find. */
export interface Mutant {
  readonly contract: keyof Codes
  readonly file: 'client' | 'proxy' | 'root' | 'shared' | 'worker'
  readonly mistake: string
  /** Stands in the source exactly once. */
  readonly right: string
  readonly wrong: string
  /** Someone gains or loses money by it: the books must see it, without a word from the model. */
  readonly costs: boolean
}

const mutant = (
  contract: keyof Codes,
  file: Mutant['file'],
  mistake: string,
  right: string,
  wrong: string,
  costs = true,
): Mutant => ({ contract, file, mistake, right, wrong, costs })

export const MUTANTS: readonly Mutant[] = [
  mutant(
    'client',
    'client',
    'a charge may be repeated',
    'assert (signed.tokens > st.tokensUsed)',
    'assert (signed.tokens >= st.tokensUsed)',
    false,
  ),
  mutant('client', 'client', 'a charge is not remembered', 'st.tokensUsed = signed.tokens;', ''),
  mutant('client', 'client', 'a withdrawal stays on the books', 'st.balance = st.stake;\n    saveAndForward', 'saveAndForward'),
  mutant('client', 'client', 'a refund needs no waiting', 'assert (st.unlockAt < blockchain.now()) throw ERR_LOCKED;', '', false),
  mutant('client', 'client', 'anybody is the owner', 'assert (msg.sender == owned.owner) throw ERR_NOT_OWNER;', '', false),
  mutant(
    'client',
    'client',
    'a refused first request for a refund closes all the same',
    'st.state = STATE_NORMAL;\n                st.unlockAt = 0;',
    '',
    false,
  ),
  mutant('client', 'client', 'a refused top up is kept on the books', 'st.balance -= returned;', ''),
  mutant('client', 'shared', 'a charge needs no signature', 'isSignatureValid(payload.hash(), signature, publicKey)', 'true'),
  mutant(
    'client',
    'shared',
    'a charge of another client counts',
    'assert (p.loadAddress() == contract.getAddress()) throw ERR_OTHER_CONTRACT;',
    'p.loadAddress();',
    false,
  ),
  mutant('worker', 'worker', 'a payout is not remembered', 'st.tokens = signed.tokens;', ''),
  mutant(
    'worker',
    'worker',
    'a payout may be repeated',
    'assert (signed.tokens > st.tokens)',
    'assert (signed.tokens >= st.tokens)',
    false,
  ),
  mutant('worker', 'worker', 'a refused payout counts as paid', 'st.tokens -= unpaid', 'st.tokens -= 0 * unpaid'),
  mutant('worker', 'shared', 'a payout needs no signature', 'isSignatureValid(payload.hash(), signature, publicKey)', 'true'),
  mutant('worker', 'worker', "the proxy gets the worker's part", 'delta * (p.price - p.fee)', 'delta * p.fee'),
  mutant(
    'proxy',
    'proxy',
    'anybody is a worker',
    'assert (msg.sender == workerAddress(st, request.owner)) throw ERR_UNKNOWN_SENDER;',
    '',
  ),
  mutant(
    'proxy',
    'proxy',
    'anybody is a client',
    'assert (msg.sender == clientAddress(st, request.owner)) throw ERR_UNKNOWN_SENDER;',
    '',
  ),
  mutant(
    'proxy',
    'proxy',
    'the commission is paid again and again',
    'st.balance = 0;\n    st.save();\n    payOut',
    'st.save();\n    payOut',
  ),
  mutant('proxy', 'proxy', 'a forced refund leaves the stake as it is', 'st.stake -= min(limit, payload.amount);', '', false),
  mutant(
    'proxy',
    'shared',
    "rent comes out of the clients' money",
    'getOriginalBalance() - value + rent',
    'getOriginalBalance() - value',
  ),
  mutant(
    'proxy',
    'proxy',
    'what is still owed may be forgotten for want of gas',
    'assert (contract.getOriginalBalance() >= balanceToKeep(msg.value, STORAGE) + UNPAID_GAS) throw ERR_LOW_VALUE;',
    '',
  ),
  mutant('proxy', 'proxy', 'closing needs no waiting', 'assert (blockchain.now() >= st.unlockAt) throw ERR_LOCKED;', '', false),
  mutant(
    'proxy',
    'proxy',
    "closing takes the clients' money",
    'min(st.balance + st.stake, heldAbove(STORAGE, msg.value))',
    'heldAbove(STORAGE, msg.value)',
  ),
  mutant(
    'proxy',
    'proxy',
    'what clients wait for may be claimed',
    'CLAIM_PERIOD + min(loadParams(st.params).clientDelay, CLAIM_PERIOD)',
    'CLAIM_PERIOD',
  ),
  mutant('root', 'root', 'anybody is the owner', 'assert (in.senderAddress == st.owner) throw ERR_NOT_OWNER;', '', false),
  mutant('root', 'root', 'a change of terms keeps their version', 'p.paramsVersion += 1;', '', false),
  mutant(
    'root',
    'root',
    'a delay may be so long that nothing can be closed',
    'assert ((p.proxyDelay <= LONGEST_DELAY) & (p.clientDelay <= LONGEST_DELAY)) throw ERR_FORMAT;',
    '',
    false,
  ),
  mutant(
    'root',
    'root',
    'an unknown proxy can be removed',
    'uDictDelete(32, body.loadUint(32));\n        assert (found)',
    'uDictDelete(32, body.loadUint(32));\n        assert (found | true)',
    false,
  ),
]

const sourceDir = new URL('../', import.meta.url)

/** How often the source holds what is to be changed: a mutant of anything but one place is none. */
export function placesOf(changed: Mutant): number {
  return sourceOf(changed).split(changed.right).length - 1
}

function sourceOf(changed: Mutant): string {
  return readFileSync(new URL(`${changed.file}.tolk`, sourceDir), 'utf8')
}

/** The code of all contracts with one of them changed. Throws when the source does not hold what is to be changed. */
export async function mutate(changed: Mutant): Promise<Codes> {
  const path = `${changed.file}.tolk`
  const source = sourceOf(changed)
  const found = placesOf(changed)
  if (found !== 1) throw new Error(`${path} holds ${JSON.stringify(changed.right)} ${found} times, not once`)
  const result = await runTolkCompiler({
    entrypointFileName: `${changed.contract}.tolk`,
    fsReadCallback: (file) => {
      if (file === path) return source.replace(changed.right, changed.wrong)
      return readFileSync(new URL(file, sourceDir), 'utf8')
    },
  })
  if (result.status === 'error') throw new Error(`${changed.mistake}: ${result.message}`)
  return { ...contractCode, [changed.contract]: Cell.fromBase64(result.codeBoc64) }
}

/** Plays sequences of 100 operations until one fails; null when none of them does. */
export async function hunt(changed: Mutant, watch: Watch, firstSeed: number, sequences: number): Promise<Failure | null> {
  const codes = await mutate(changed)
  for (let seed = firstSeed; seed < firstSeed + sequences; seed += 1) {
    try {
      await play({ seed, operations: 100, codes, watch })
    } catch (error) {
      if (error instanceof Failure) return error
      throw error
    }
  }
  return null
}
