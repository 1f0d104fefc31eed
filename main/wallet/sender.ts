import type { Address, Cell, StateInit } from '@ton/core'

export interface OutMessage {
  readonly to: Address
  /** nanoton */
  readonly value: bigint
  readonly body: Cell
  readonly init?: StateInit
  /** TVM send mode; by default 0 (the forward fee is taken out of the value), or 1 for a value of at most 1 nanoton. */
  readonly mode?: number
  readonly bounce?: boolean
}

/** A wallet that can send: the user's W5 wallet or a Cocoon node wallet (protocol 60 §8). */
export interface Sender {
  readonly address: Address
  /**
   * Signs and sends 1 to 4 messages in one external message and waits until the wallet's seqno advanced.
   * Sends of one wallet are serialized. Throws a `Failure` naming what became of the money: never sent, or unknown.
   * @param last called when nothing of the wallet is read any more and nothing has been handed over; what it throws ends the send.
   *   A message of another run that it does not see makes this one void.
   */
  send(messages: readonly OutMessage[], last?: () => Promise<void>): Promise<void>
}
