;; Clojure's own reader and printer of EDN as the oracle: each line of stdin is the base64 of a text (UTF-8). Each line of stdout says
;; what it holds: "ok", what each form is (see `told`), and the base64 of how Clojure prints them; or "no" and the base64 of why.
(ns daodb.edn-oracle
  (:require [clojure.edn :as edn] [clojure.instant :as instant] [clojure.string :as str])
  (:import [java.io PushbackReader StringReader] [java.sql Timestamp] [java.util Base64] [clojure.lang TaggedLiteral BigInt Ratio]))

(defn base64 [^String s] (.encodeToString (Base64/getEncoder) (.getBytes s "UTF-8")))
(defn text [^String s] (String. (.decode (Base64/getDecoder) s) "UTF-8"))

;; What the database writes of values that EDN has no notation for.
(defrecord Dao [tag value])
(defmethod print-method Dao [d ^java.io.Writer w] (.write w (str "#" (:tag d) " " (pr-str (:value d)))))
(def readers
  (into {'inst instant/read-instant-timestamp}
        (map (fn [tag] [tag #(->Dao tag %)]))
        '[dao/keyword dao/symbol dao/uri uri dao/bytes dao/ref dao/instant]))

(defn decimal [^BigDecimal d] (str "M" (.unscaledValue d) "e" (- (.scale d))))

(defn dao [{:keys [tag value]}]
  (case (name tag)
    "keyword" (str "k" (base64 value))
    "symbol" (str "y" (base64 value))
    "uri" (str "U" (base64 value))
    "bytes" (str "B" value)
    "ref" (str "r" value)
    "instant" (str "i" value)))

(defn told
  "A form as a word that says its type and value, without any notation of EDN; what has no order is sorted."
  [x]
  (cond
    (nil? x) "nil"
    (boolean? x) (str "b" x)
    (instance? Long x) (str "l" x)
    (instance? BigInt x) (str "n" x)
    (instance? Double x) (str "d" (if (Double/isNaN x) "NaN" (Long/toHexString (Double/doubleToRawLongBits x))))
    (instance? BigDecimal x) (decimal x)
    (instance? Ratio x) (str "ratio" x)
    (string? x) (str "s" (base64 x))
    (keyword? x) (str "k" (base64 (subs (str x) 1)))
    (symbol? x) (str "y" (base64 (str x)))
    (char? x) (str "c" (int x))
    (instance? Timestamp x) (str "i" (+ (* 1000 (.getTime ^Timestamp x)) (mod (quot (.getNanos ^Timestamp x) 1000) 1000)))
    (uuid? x) (str "u" x)
    (instance? Dao x) (dao x)
    (instance? TaggedLiteral x) (str "t" (base64 (str (:tag x))) "(" (told (:form x)) ")")
    (vector? x) (str "v(" (str/join "," (map told x)) ")")
    (seq? x) (str "q(" (str/join "," (map told x)) ")")
    (set? x) (str "h(" (str/join "," (sort (map told x))) ")")
    (map? x) (str "m(" (str/join "," (sort (map (fn [[k v]] (str (told k) "=" (told v))) x))) ")")
    :else (str "?" (class x))))

(defn forms [^String s]
  (let [in (PushbackReader. (StringReader. s))
        options {:eof in :readers readers :default tagged-literal}]
    (into [] (take-while #(not (identical? in %))) (repeatedly #(edn/read options in)))))

(defn answer [s]
  (try
    (let [fs (forms s)]
      (str "ok " (str/join "," (map told fs)) " " (base64 (str/join " " (map pr-str fs)))))
    (catch Throwable e (str "no " (base64 (str (.getSimpleName (class e)) ": " (.getMessage e)))))))

(binding [*print-namespace-maps* false *print-meta* false]
  (doseq [line (line-seq (clojure.java.io/reader *in*))]
    (println (answer (text line)))))
(flush)
(shutdown-agents)
(System/exit 0)
