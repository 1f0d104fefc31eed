import { ArrowDown } from 'lucide-react'
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { Conversation, LevelView, Turn } from '../../../preload/api/chat.ts'
import { useTexts } from '../messages/texts.tsx'
import { Knot } from '../seal/knot.tsx'
import { pastTone } from '../seal/level.ts'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { TurnView } from './turn-view.tsx'

/** So near to the end counts as the end. */
const endPx = 48

interface TranscriptProps {
  conversation: Conversation
  levels: readonly LevelView[] | undefined
  onRetry(turn: Turn): void
  onThisComputer(turn: Turn): void
  onReceipt(turn: Turn): void
}

/** The turns. It follows the end only while the end is in view; else a button says that there is new text. */
export function Transcript({ conversation, levels, onRetry, onThisComputer, onReceipt }: TranscriptProps) {
  const { t } = useTexts()
  const { turns } = conversation
  const box = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  const [news, setNews] = useState(false)
  const last = turns.at(-1)
  const size = `${turns.length} ${last?.answer.length ?? 0} ${last?.status ?? ''}`
  const seen = useRef(size)

  const toEnd = (): void => {
    const element = box.current
    if (element) element.scrollTop = element.scrollHeight
    atEnd.current = true
    setNews(false)
  }

  // A message of one's own always comes into view.
  const count = useRef(turns.length)
  useLayoutEffect(() => {
    const added = turns.length > count.current
    count.current = turns.length
    if (added || atEnd.current) {
      const element = box.current
      if (element) element.scrollTop = element.scrollHeight
      atEnd.current = true
    } else if (seen.current !== size) setNews(true)
    seen.current = size
  }, [turns.length, size])

  useEffect(() => {
    const element = box.current
    if (!element) return
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keys
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={t('chat.transcript')}
        className="flex min-h-0 flex-1 flex-col overflow-y-auto"
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < endPx
          if (atEnd.current) setNews(false)
        }}
      >
        <div className="min-h-6 flex-1" />
        <div className="chat-gutter">
          <div className="chat-column">
            {turns.map((turn, index) => {
              const previous = turns[index - 1]
              return (
                <div key={turn.id}>
                  {previous && (previous.level !== turn.level || previous.engine !== turn.engine) ? (
                    <Knot level={turn.level} above={index} engine={turn.engine} />
                  ) : null}
                  {turn.leftOut === undefined ? null : (
                    <div className={`left-out thread tone-${pastTone(turn.level, turn.engine)}`}>
                      <p className="num">{t('chat.leftOut', { n: turn.leftOut })}</p>
                    </div>
                  )}
                  <TurnView
                    turn={turn}
                    isLast={index === turns.length - 1}
                    computerReady={levels?.find(({ level }) => level === 'computer')?.state === 'ready'}
                    onRetry={() => onRetry(turn)}
                    onThisComputer={() => onThisComputer(turn)}
                    onReceipt={() => onReceipt(turn)}
                  />
                </div>
              )
            })}
          </div>
        </div>
      </div>
      {news ? (
        <div className="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
          <Button className="pointer-events-auto rounded-full! shadow-2" size="sm" icon={<Icon of={ArrowDown} />} onClick={toEnd}>
            {t('chat.newText')}
          </Button>
        </div>
      ) : null}
    </div>
  )
}
