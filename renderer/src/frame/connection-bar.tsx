import { Unplug } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useLinkStatus } from '../api/api-context.tsx'
import { useTexts } from '../messages/texts.tsx'
import { Icon } from '../ui/icon.tsx'

/** Says that the core does not answer. A short break, as at a restart, is not worth a word. */
export function ConnectionBar() {
  const { t } = useTexts()
  const lost = useLinkStatus() !== 'open'
  const [shown, setShown] = useState(false)
  useEffect(() => {
    if (!lost) {
      setShown(false)
      return
    }
    const timer = setTimeout(() => setShown(true), 1_500)
    return () => clearTimeout(timer)
  }, [lost])
  return (
    <div role="status">
      {shown ? (
        <div className="notice-bar">
          <Icon of={Unplug} size={14} />
          {t('connection.lost')}
        </div>
      ) : null}
    </div>
  )
}
