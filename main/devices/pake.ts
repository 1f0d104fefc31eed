import { hexOf } from '../base/hex.ts'
import { deviceFailure } from './device-failure.ts'

/*
 * OPAQUE (RFC 9807) with a registration made for one connection and thrown away with it. Who takes part, and in which TLS connection, is part
 * of both proofs: a proof made for one connection fits no other.
 */

/** Both sides of one connection, as both see them. */
export interface Parties {
  /** 32 bytes each. */
  readonly hostKey: Uint8Array
  readonly guestKey: Uint8Array
  /** 32 bytes of the TLS exporter. */
  readonly binding: Uint8Array
}

const user = 'pairing'
/**
 * Stretching is against guesses without the other side; a password protocol leaves none, and the words carry 66 bits. The least that the
 * library takes keeps a stranger's attempt cheap for this computer.
 */
const keyStretching = { 'argon2id-custom': { iterations: 1, memory: 1024, parallelism: 1 } } as const

/** Loaded when devices are paired: no start of the app waits for it, or holds its memory. */
async function opaque() {
  const { client, ready, server } = await import('@serenity-kit/opaque')
  await ready
  return { client, server }
}

function identifiers({ hostKey, guestKey, binding }: Parties): { client: string; server: string } {
  return { client: `guest ${hexOf(guestKey)} ${hexOf(binding)}`, server: `host ${hexOf(hostKey)} ${hexOf(binding)}` }
}

/** Of the host: answers the first message, and checks the last one. */
export async function answerHello(
  hello: string,
  words: string,
  parties: Parties,
): Promise<{ answer: string; check(proof: string): void }> {
  const { client, server } = await opaque()
  const ids = identifiers(parties)
  return orNotProven(() => {
    const serverSetup = server.createSetup()
    const begun = client.startRegistration({ password: words })
    const { registrationResponse } = server.createRegistrationResponse({
      serverSetup,
      userIdentifier: user,
      registrationRequest: begun.registrationRequest,
    })
    const { registrationRecord } = client.finishRegistration({
      password: words,
      clientRegistrationState: begun.clientRegistrationState,
      registrationResponse,
      identifiers: ids,
      keyStretching,
    })
    const { loginResponse, serverLoginState } = server.startLogin({
      serverSetup,
      userIdentifier: user,
      registrationRecord,
      startLoginRequest: hello,
      identifiers: ids,
    })
    return {
      answer: loginResponse,
      check: (proof) =>
        orNotProven(() => {
          server.finishLogin({ serverLoginState, finishLoginRequest: proof, identifiers: ids })
        }),
    }
  })
}

/** Of the guest: the first message, and the proof once the host's answer has shown that the host knows the words. */
export async function beginHello(words: string, parties: Parties): Promise<{ hello: string; proofFor(answer: string): string }> {
  const { client } = await opaque()
  const { clientLoginState, startLoginRequest } = client.startLogin({ password: words })
  return {
    hello: startLoginRequest,
    proofFor: (answer) =>
      orNotProven(() => {
        const proven = client.finishLogin({
          clientLoginState,
          loginResponse: answer,
          password: words,
          identifiers: identifiers(parties),
          keyStretching,
        })
        if (proven === undefined) throw deviceFailure('pairing-not-proven')
        return proven.finishLoginRequest
      }),
  }
}

/** The library throws an error of its own for anything malformed; its text is not for people. */
function orNotProven<T>(work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    throw deviceFailure('pairing-not-proven', { cause: thrown })
  }
}
