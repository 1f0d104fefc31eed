import type { ChatHistoryItem, ChatModelFunctionCall, ChatModelResponse } from 'node-llama-cpp'
import { Failure } from '../base/failure.ts'
import type { ChatMessage, ToolCall } from './engine.ts'

/**
 * Messages as the library takes them, where a call and its result are one thing. The last item is the model's answer to come: an empty one, or
 * the assistant's message that is to be continued.
 * @throws Failure `bad-request` for a call without a result, a result without a call, or arguments that are no JSON
 */
export function chatHistory(messages: readonly ChatMessage[]): ChatHistoryItem[] {
  const history: ChatHistoryItem[] = []
  /** The model's turn goes on after the results of its calls. */
  let turn: ChatModelResponse['response'] | undefined
  const used = new Set<number>()
  for (const [index, { role, content, toolCalls = [], toolCallId }] of messages.entries()) {
    if (role === 'tool') {
      if (!used.has(index))
        throw bad(`messages[${index}].tool_call_id`, `The result of the call "${toolCallId ?? ''}" has no call before it.`)
      continue
    }
    if (role !== 'assistant') {
      turn = undefined
      history.push({ type: role, text: content })
      continue
    }
    if (turn === undefined || typeof turn.at(-1) === 'string') {
      turn = []
      history.push({ type: 'model', response: turn })
    }
    if (content !== '' || toolCalls.length === 0) turn.push(content)
    for (const [at, call] of toolCalls.entries()) {
      const place = `messages[${index}].tool_calls[${at}]`
      const result = resultOf(call, messages, index, used)
      if (result === undefined) throw bad(place, `The call "${call.id}" has no result.`)
      turn.push(functionCall(call, at === 0, result, place))
    }
  }
  if (turn === undefined) history.push({ type: 'model', response: [] })
  return history
}

function functionCall(call: ToolCall, isFirst: boolean, result: string, place: string): ChatModelFunctionCall {
  return { type: 'functionCall', name: call.name, params: json(call, place), result, ...(isFirst && { startsNewChunk: true }) }
}

/** Among the messages of role `tool` right after the one at `index`. */
function resultOf(call: ToolCall, messages: readonly ChatMessage[], index: number, used: Set<number>): string | undefined {
  for (let at = index + 1; messages[at]?.role === 'tool'; at++) {
    if (messages[at]?.toolCallId !== call.id || used.has(at)) continue
    used.add(at)
    return messages[at]?.content ?? ''
  }
  return undefined
}

function json({ id, arguments: text }: ToolCall, place: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw bad(`${place}.function.arguments`, `The arguments of the call "${id}" are no JSON.`, cause)
  }
}

/** @param field what is wrong, as OpenAI's API calls its place */
function bad(field: string, message: string, cause?: unknown): Failure<'bad-request'> {
  return new Failure('bad-request', message, { values: { field }, cause })
}
