;; Datomic as the oracle of transactions: one process for all sequences of transactions.
;;
;; Each line of stdin is a sequence, {:db 0 :ns "s17" :txs [[form ...] ...] :views [k ...]}: transactions, each a vector of forms,
;; whose attributes and idents have names in its namespace. Sequences of one :db share a database, because making one takes
;; longer than filling it. In a form, #e "x" is the entity that the tempid "x" became in an earlier transaction that says
;; something of it, or refers to it; a transaction that names one that is not there is left out.
;;
;; Each line of stdout says what Datomic made of it: of each transaction {:datoms [[e a v tx added] ...] :tempids {"x" e} :tx e},
;; {:error kind :message text} or :left-out; and what holds now, what ever did, and as-of and since the transactions whose
;; numbers stand in :views.

;; The predicates of the database that Clojure has not, as docs/transactions.md says them.
(ns dao.preds (:require [clojure.string :as str]))
(defn not-blank? [v] (not (str/blank? v)))
(defn trimmed? [v] (= v (str/trim v)))
(defn one-line? [v] (not-any? #{\newline \return} v))
(defn not-negative? [v] (not (neg? v)))

(ns daodb.oracle
  (:require [clojure.edn :as edn] [clojure.walk :as walk] [datomic.api :as d])
  (:import [java.util Base64]))

(defrecord Handle [name])
(defrecord Tagged [tag value])
(defmethod print-method Tagged [t ^java.io.Writer w] (.write w (str "#" (:tag t) " " (pr-str (:value t)))))

(def readers
  {'e ->Handle 'dao/uri #(java.net.URI. %) 'dao/bytes #(.decode (Base64/getDecoder) ^String %)})

(def nobody 17592186999999)

(defn named
  "The form with ids for handles; nil where one is missing."
  [ids form]
  (let [missing (volatile! false)
        id #(or (get ids %) (when (= % "?") nobody) (do (vreset! missing true) 0))
        form (walk/postwalk #(if (instance? Handle %) (id (:name %)) %) form)]
    (when-not @missing form)))

(defn written
  "A value as the other side reads it: what EDN has no notation for has a tag."
  [db ref? v]
  (cond ref? (if-let [ident (and (< v 72) (d/ident db v))] ident (->Tagged 'dao/ref v))
        (instance? java.net.URI v) (->Tagged 'dao/uri (str v))
        (bytes? v) (->Tagged 'dao/bytes (.encodeToString (Base64/getEncoder) v))
        (instance? Float v) (Double/parseDouble (str v))
        (instance? java.math.BigInteger v) (bigint v)
        (vector? v) (mapv #(written db false %) v)
        :else v))

(defn datoms
  "Distinct, as [e a v tx added], without instants and what installs attributes."
  [db ds]
  (into []
        (comp (keep (fn [{:keys [e a v tx added]}]
                      (let [{:keys [ident value-type]} (d/attribute db a)]
                        (when-not (or (zero? e) (= ident :db/txInstant))
                          [e ident (written db (= :db.type/ref value-type) v) tx added]))))
              (distinct))
        ds))

(defn visible
  "All datoms of these attributes that a view has."
  [now view attributes]
  (datoms now (mapcat #(d/datoms view :aevt %) attributes)))

(defn refused [^Throwable e]
  (let [causes (take-while some? (iterate #(.getCause ^Throwable %) e))
        data (some ex-data (reverse causes))
        cause ^Throwable (last causes)]
    {:error (or (:db/error data) (keyword (.getSimpleName (class cause))))
     :message (first (.split (str (.getMessage cause)) "\n"))}))

(defn tempids
  "Those that the forms named: texts, and small negative numbers."
  [report]
  (into {} (comp (filter (fn [[k _]] (or (string? k) (> k -1000000)))) (map (fn [[k e]] [(str k) e])))
        (:tempids report)))

(defn step [conn {:keys [ids] :as state} form]
  (let [done (fn [state t result] (-> state (update :ts conj t) (update :results conj result)))]
    (if-let [form (named ids form)]
      (try
        (let [{:keys [tx-data db-after] :as report} @(d/transact conn form)
              tx (:tx (first tx-data))
              names (dissoc (tempids report) "datomic.tx")
              known (into (set (vals ids)) (mapcat (juxt :e :v)) tx-data)]
          (done (update state :ids into (filter (comp known val)) names) tx {:tx tx :datoms (datoms db-after tx-data) :tempids names}))
        (catch Throwable e (done state nil (refused e))))
      (done state nil :left-out))))

(defn answer [conn {:keys [ns txs views]}]
  (let [{:keys [results ts]} (reduce (partial step conn) {:ids {} :results [] :ts []} txs)
        db (d/db conn)
        attributes (->> (d/datoms db :avet :db/ident)
                        (filter #(and (= ns (namespace (:v %))) (d/attribute db (:e %))))
                        (map :e))
        at (fn [f] (into {} (keep #(when-let [tx (nth ts % nil)] [% (visible db (f db tx) attributes)])) views))]
    {:results results :now (visible db db attributes) :history (visible db (d/history db) attributes)
     :as-of (at d/as-of) :since (at d/since)}))

(defn connect [n]
  (let [uri (str "datomic:mem://oracle" n)]
    (d/create-database uri)
    (d/connect uri)))

(defn -main []
  (with-open [in (clojure.java.io/reader *in*)]
    (binding [*print-namespace-maps* false *print-meta* false]
      (loop [lines (line-seq in) n nil conn nil]
        (when-let [line (first lines)]
          (let [sequence (edn/read-string {:readers readers} line)
                conn (if (= n (:db sequence))
                       conn
                       (do (when conn (d/release conn) (d/delete-database (str "datomic:mem://oracle" n)))
                           (connect (:db sequence))))]
            (prn (answer conn sequence))
            (flush)
            (recur (rest lines) (:db sequence) conn)))))))

(-main)
(shutdown-agents)
(System/exit 0)
